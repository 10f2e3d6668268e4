"""Alembic's entry: runs the migrations on the connection that the store hands over."""

from alembic import context

from watcher.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    transaction_per_migration=False,
)
# The caller's transaction holds all of it: killed half way, nothing has happened.
context.run_migrations()
