"""The pages; each is a function `render(site)`."""
