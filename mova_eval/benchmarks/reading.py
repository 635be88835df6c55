"""Reading benchmark files so that every mistake is told with file, place, what was expected, and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from metrics.errors import UserError

T = TypeVar("T")

_EXPECTED = {
    "string_type": "a text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "mapping_type": "an object",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_KINDS = {str: "text", bool: "boolean", int: "number", float: "number", list: "list", dict: "object", tuple: "list"}


def read_text(path: Path) -> str:
    """A UTF-8 file's text, without a byte order mark. Raises UserError if it cannot be read or is not UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror or error}); check the path and its permissions"
        ) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8: byte 0x{data[error.start]:02x} at position {error.start}; save it as UTF-8"
        ) from error


def parse_json(text: str, where: str, *, first_line: int = 1) -> Any:
    """JSON of a text. Raises UserError with line and column, also for a key that stands twice and for NaN."""
    if not text.strip():
        raise UserError(f"{where} is empty; give a file with items")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise UserError(f"{where}: the key '{twice}' stands twice in one object; remove one of the two")
        return found

    def no_constant(name: str) -> Any:
        raise UserError(f"{where}: {name} is not a JSON value; write a number or null")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise UserError(f"{where} is not JSON: line {line}, column {error.colno}: {error.msg}; correct it") from error
    except RecursionError as error:
        raise UserError(f"{where} is nested too deeply to be a benchmark; check that it is the right file") from error


def read_json(path: Path) -> Any:
    """The JSON value of a file, see `parse_json`."""
    return parse_json(read_text(path), str(path))


def checked(kind: type[T] | Any, value: Any, where: str) -> T:
    """A value as a pydantic type.

    where: file, or file and line. Raises UserError `where: path.to.field: expected a text, got list`.
    """
    try:
        made: T = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise UserError(f"{where}: {_complaint(error)}") from error
    return made


def _complaint(error: ValidationError) -> str:
    first, more = error.errors()[0], error.error_count() - 1
    place = ".".join(str(part) for part in first["loc"])
    kind, got = first["type"], first.get("input")
    if kind == "missing":
        said = "expected a value, got none; add the field"
    elif kind == "extra_forbidden":
        said = "no such field; remove it or correct its name"
    elif kind in _EXPECTED:
        said = f"expected {_EXPECTED[kind]}, got {_kind(got)}"
    elif kind == "literal_error":
        said = f"expected {first['ctx']['expected']}, got {_kind(got)} {str(got)[:40]!r}"
    else:
        said = first["msg"].removeprefix("Value error, ")
    rest = f" (and {more} more such mistakes)" if more else ""
    return f"{place}: {said}{rest}" if place else f"{said}{rest}"


def _kind(value: Any) -> str:
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)
