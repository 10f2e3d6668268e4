"""The texts of the pages, by language."""
