"""The schema changes, numbered; all that are missing run in one transaction."""
