"""Checks of a configuration file, each fault with its line and its remedy."""
