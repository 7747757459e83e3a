"""Alembic's environment: runs the steps on the connection that `registry.catalog.schema` opened and locked."""

from alembic import context

from registry.catalog.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
