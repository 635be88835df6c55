"""Alembic's entry: runs on the connection that `arena.db.migrate` hands over."""

from __future__ import annotations

from alembic import context

import arena.db.rules  # noqa: F401 - fills the metadata
from arena.db.types import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=False,
)
context.run_migrations()
