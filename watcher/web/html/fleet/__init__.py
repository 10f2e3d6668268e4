"""For a fleet of many services: a filter, counts by label, and a list in pages."""
