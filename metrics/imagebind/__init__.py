"""IB-Score: how well picture and sound of a clip belong together, by ImageBind."""
