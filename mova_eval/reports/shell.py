"""Pages that share one frame: styles, scripts and data inside, and a policy that forbids every outside request."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from mova_eval.reports import numbers
from mova_eval.reports.embed import script_json
from mova_eval.reports.view import date_of

STYLES = ("base.css", "tables.css", "frame.css")
SCRIPTS = ("base.js",)


def render(template: str, *, data: Any, scripts: Sequence[str] = (), styles: Sequence[str] = (), **context: Any) -> str:
    """A page from a template that extends `frame.html.j2`.

    data: what the scripts read as DATA. scripts, styles: files of the templates folder beyond the common ones. Texts
    are escaped; the scripts are named by their sha256 in the content security policy, so no other one can run.
    """
    script = '\n(() => {\n"use strict";\n' + "\n".join(_asset(name) for name in (*SCRIPTS, *scripts)) + "})();\n"
    return (
        _environment()
        .get_template(template)
        .render(
            styles=Markup("\n".join(_asset(name) for name in (*STYLES, *styles))),
            script=Markup(script),
            policy=_policy(script),
            data=Markup(script_json(data)),
            **context,
        )
    )


def relative_url(path: str | None, page_folder: Path) -> str | None:
    """A file's address as seen from a page in `page_folder`: always relative, each part quoted."""
    if path is None:
        return None
    way = os.path.relpath(Path(path).absolute(), page_folder.absolute())
    return quote(Path(way).as_posix() if way.startswith("..") else f"./{Path(way).as_posix()}", safe="/")


def write_text(path: Path, text: str) -> Path:
    """Write a file beside its place and move it there, so that a reader never sees half of it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)
    return path


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; media-src 'self' file:;"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mova_eval.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(DASH=numbers.DASH, ARROWS=numbers.ARROWS, DIRECTIONS=numbers.DIRECTIONS)
    environment.filters["date"] = date_of
    return environment


def _asset(name: str) -> str:
    return files("mova_eval.reports").joinpath("templates", name).read_text(encoding="utf-8")
