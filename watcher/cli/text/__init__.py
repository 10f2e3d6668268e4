"""The tables and texts of the commands."""
