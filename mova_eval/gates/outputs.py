"""What continuous integration reads of a gate: JUnit XML, GitHub's annotations and job summary, a comment, a badge."""

from __future__ import annotations

import os
from collections.abc import Callable
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from metrics.errors import UserError
from mova_eval.gates.markdown import gate_markdown
from mova_eval.gates.records import Check, GateResult
from mova_eval.reports.shell import write_text

LEVELS = {"fail": "error", "warn": "warning", "not judged": "notice"}
COLOURS = {"pass": "#1c6b3f", "warn": "#a06a00", "fail": "#a8281c"}
WORDS = {"pass": "passed", "warn": "warnings", "fail": "failed"}
_NO_CONTROLS = {place: " " for place in range(32) if place not in (9, 10, 13)}
"""XML 1.0 knows no control characters."""


def junit_xml(result: GateResult) -> str:
    """One test case per check; what was not judged is skipped, warnings stand in the case's output."""
    failures, skipped = len(result.having("fail")), len(result.having("not judged"))
    suite = ElementTree.Element(
        "testsuite",
        name="mova-eval gate",
        tests=str(len(result.checks)),
        failures=str(failures),
        skipped=str(skipped),
        errors="0",
    )
    for check in result.checks:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"mova-eval.{check.kind}", name=_plain(check.title), time="0"
        )
        if check.outcome == "fail":
            ElementTree.SubElement(case, "failure", message=_plain(check.message), type=check.kind).text = _plain(
                f"{check.title}: {check.message}"
            )
        elif check.outcome == "not judged":
            ElementTree.SubElement(case, "skipped", message=_plain(check.message))
        else:
            word = "warning: " if check.outcome == "warn" else ""
            ElementTree.SubElement(case, "system-out").text = _plain(word + check.message)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _plain(text: str) -> str:
    return text.translate(_NO_CONTROLS)


def github_annotations(result: GateResult) -> list[str]:
    """GitHub workflow commands: an error per failure, a warning per warning, a notice that says the outcome."""
    lines = [_command(LEVELS[check.outcome], f"mova-eval: {check.title}", check) for check in _loud(result)]
    return [*lines, f"::notice title=mova-eval::{_data(result.sentence)}"]


def _loud(result: GateResult) -> list[Check]:
    return [*result.having("fail"), *result.having("warn")]


def _command(level: str, title: str, check: Check) -> str:
    return f"::{level} title={_property(title)}::{_data(check.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def badge_svg(result: GateResult) -> str:
    """A badge for a README: "mova-eval | passed"."""
    return badge("mova-eval", WORDS[result.outcome], COLOURS[result.outcome])


def badge(label: str, value: str, colour: str) -> str:
    """A flat badge; widths are estimated from the number of characters of an 11 px sans-serif."""
    left, right = (round(6.6 * len(text) + 14) for text in (label, value))
    total = left + right
    label, value = escape(label), escape(value)
    text = 'font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" fill="#fff" text-anchor="middle"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" aria-label="{label}: {value}">'
        f"<title>{label}: {value}</title>"
        f'<clipPath id="r"><rect width="{total}" height="20" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left}" height="20" fill="#41474e"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        f'<g {text}><text x="{left / 2:g}" y="14">{label}</text>'
        f'<text x="{left + right / 2:g}" y="14">{value}</text></g></svg>\n'
    )


def write_outputs(
    result: GateResult,
    *,
    junit: Path | None = None,
    comment: Path | None = None,
    badge: Path | None = None,
    github: bool | None = None,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Write what is asked for.

    github: print annotations and add to the job summary; None for whether this runs in a GitHub workflow. say: where
    annotations go. Raises UserError where a file cannot be written.
    """
    wanted = ((junit, junit_xml), (comment, _comment), (badge, badge_svg))
    try:
        written = [write_text(path, make(result)) for path, make in wanted if path is not None]
        if github if github is not None else os.environ.get("GITHUB_ACTIONS") == "true":
            for line in github_annotations(result):
                say(line)
            summary = os.environ.get("GITHUB_STEP_SUMMARY")
            if summary:
                with open(summary, "a", encoding="utf-8") as file:
                    file.write(_comment(result))
    except OSError as error:
        raise UserError(f"cannot write {error.filename}: {error.strerror}") from error
    return written


def _comment(result: GateResult) -> str:
    return gate_markdown(result) + "\n"
