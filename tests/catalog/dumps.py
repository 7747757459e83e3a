"""A database's schema as the database itself tells it, to compare what was made in two ways."""

from sqlalchemy import text

from registry.catalog.engine import Database

OF_SQLITE = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
OF_POSTGRESQL = """
    SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default, collation_name)
      FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
"""


def dump(database: Database) -> list[str]:
    """Give the schema, line by line, without Alembic's own table."""
    with database.reading() as connection:
        lines = connection.execute(text(OF_SQLITE if database.is_sqlite else OF_POSTGRESQL)).scalars()
        return sorted(line for line in lines if "alembic_version" not in line)
