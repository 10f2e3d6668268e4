"""The store: SQLAlchemy Core, migrated by Alembic; portable but for ``sqlite/``."""
