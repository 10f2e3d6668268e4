"""``status --watch``: the overview of the status page as lines, drawn again and again in one place of a terminal."""
