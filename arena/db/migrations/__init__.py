"""Alembic: linear history, one file per change."""
