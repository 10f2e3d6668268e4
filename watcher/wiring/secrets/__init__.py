"""Secrets from the environment, files and credentials."""
