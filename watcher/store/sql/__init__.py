"""Statements for SQLite and PostgreSQL, and why one failed."""
