"""Column types and the naming of constraints, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Integer, MetaData, String, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

Big = BigInteger().with_variant(Integer, "sqlite")
Json = JSON().with_variant(JSONB, "postgresql")

PrimaryKey = Annotated[int, mapped_column(Big, primary_key=True, autoincrement=True)]
Ms = Annotated[int, mapped_column(BigInteger)]
"""Milliseconds since 1970, UTC."""
OptionalMs = Annotated[int | None, mapped_column(BigInteger)]
Hash = Annotated[str, mapped_column(String(64))]
OptionalHash = Annotated[str | None, mapped_column(String(64))]
Token = Annotated[str, mapped_column(String(26))]
Word = Annotated[str, mapped_column(String(16))]
OptionalWord = Annotated[str | None, mapped_column(String(16))]
JsonObject = Annotated[dict[str, Any], mapped_column(Json)]
OptionalJson = Annotated[dict[str, Any] | None, mapped_column(Json)]

CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=CONVENTION)


def one_of(column: str, *words: str, optional: bool = False) -> CheckConstraint:
    """CHECK that a column holds one of the words, named after the column."""
    listed = ", ".join(f"'{word}'" for word in words)
    null = f"{column} IS NULL OR " if optional else ""
    return CheckConstraint(f"{null}{column} IN ({listed})", name=column)


def core_table(model: type[Base]) -> Table:
    """The table behind a mapped class, for statements without the unit-of-work machinery."""
    table = model.__table__
    assert isinstance(table, Table)
    return table
