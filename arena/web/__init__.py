"""The site: an ASGI application with Streamlit pages, which ask services and show; no SQL, no statistics here."""
