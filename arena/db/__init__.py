"""The database: tables, engine and migrations. Only this package and `arena.service` import SQLAlchemy."""
