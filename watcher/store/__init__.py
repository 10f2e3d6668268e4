"""The memory: SQLAlchemy Core over one SQLite file, migrated by Alembic."""
