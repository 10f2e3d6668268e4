"""Making the parts from the settings, for ``app.py`` and for the commands that need one part alone."""
