"""The schema changes, one file each, numbered."""
