"""Alembic's entry point: runs the migrations on the store's connection."""

from alembic import context

from watcher.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    transaction_per_migration=False,
)
# All migrations run in the caller's transaction: a process that dies half way leaves the old schema.
context.run_migrations()
