"""The entry script, in a folder of its own: a folder `pages` beside it would be served by the framework itself."""
