"""Reading option texts: lists, metric options, sizes."""

from __future__ import annotations

import json
from typing import Any

from metrics.errors import UserError

LICENCES = ("any", "commercial")
"""What `--licence` takes."""
PRECISIONS = ("float32", "float16", "bfloat16")
"""What `--precision` takes."""


def words(text: str | None) -> list[str] | None:
    """A comma-separated list without blanks; None stays None (not given)."""
    if text is None:
        return None
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise UserError(f"'{text}' names nothing; give a comma-separated list such as loudness,dnsmos")
    return found


def one_of(option: str, value: str, known: tuple[str, ...]) -> str:
    """The value of an option that has a few. Raises UserError naming them."""
    if value not in known:
        raise UserError(f"{option} {value}: choose {' or '.join(known)}")
    return value


def metric_options(settings: list[str]) -> dict[str, dict[str, Any]]:
    """`metric.option=value` texts as {metric: {option: value}}; values are JSON where they can be, else text."""
    options: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        metric, dot, option = name.partition(".")
        if not (equals and dot and metric and option):
            raise UserError(f"--set {setting}: expected METRIC.OPTION=VALUE, such as wer.asr=faster-whisper:small")
        options.setdefault(metric, {})[option] = json_or_text(value)
    return options


def precision_options(options: dict[str, dict[str, Any]], precision: str | None) -> None:
    """`--precision` is short for the option of that name of every metric that has it; `--set` wins."""
    if precision is None:
        return
    from metrics.registry import available, metric_class

    one_of("--precision", precision, PRECISIONS)
    for name in available():
        if "precision" in metric_class(name).defaults:
            options.setdefault(name, {}).setdefault("precision", precision)


def json_or_text(text: str) -> Any:
    """A value as JSON where it reads as JSON, else as text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
