"""Settings of generators: declared with a default, read from texts or values, refused by name when wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metrics.errors import UserError

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", list: "a list"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. kind: int, float, str, bool or list (of texts). machine: it cannot change a clip (where, how fast).

    choices: values allowed; empty for any. low: smallest number allowed.
    """

    default: Any
    help: str
    kind: type = str
    machine: bool = False
    choices: tuple[Any, ...] = ()
    low: float | None = None

    def read(self, value: Any) -> Any:
        """A value of the setting's kind. Raises ValueError saying what is expected."""
        if value is None:
            return None
        read = self._read(value)
        if self.choices and read not in self.choices:
            raise ValueError(f"expected one of {', '.join(map(str, self.choices))}")
        if self.low is not None and not read >= self.low:
            raise ValueError(f"expected {_NAMES[self.kind]} of at least {self.low:g}")
        return read

    def _read(self, value: Any) -> Any:
        expected = ValueError(f"expected {_NAMES[self.kind]}")
        if self.kind is bool:
            known = value if isinstance(value, bool) else _WORDS.get(str(value).lower())
            if known is None:
                raise expected
            return known
        if self.kind is list:
            return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
        if self.kind is str:
            return str(value)
        if isinstance(value, bool) or (isinstance(value, float) and self.kind is int and value != int(value)):
            raise expected
        try:
            return self.kind(value)
        except (TypeError, ValueError):
            raise expected from None


def read_settings(generator: str, settings: Mapping[str, Setting], options: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting with its given value or its default. Raises UserError for unknown names and wrong values."""
    for name in options:
        if name not in settings:
            near = difflib.get_close_matches(name, settings, n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(settings) or 'none'}"
            raise UserError(f"generator {generator} has no setting '{name}'; {hint}")
    values = {}
    for name, setting in settings.items():
        try:
            values[name] = setting.read(options[name]) if name in options else setting.default
        except ValueError as error:
            raise UserError(f"generator {generator}: {name}={options[name]}: {error}") from None
    return values
