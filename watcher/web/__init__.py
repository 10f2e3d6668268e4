"""The web pages for health and metrics; they change nothing.

Starlette and uvicorn load with ``pages`` and ``listener``, only where the pages are served.
"""
