"""The pages for people: rendered by the server, complete without a script."""
