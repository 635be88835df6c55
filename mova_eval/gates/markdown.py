"""The outcome of a gate as Markdown: a comment on a pull request, or the summary of a job."""

from __future__ import annotations

from mova_eval.comparison.markdown import table
from mova_eval.gates.records import Check, GateResult
from mova_eval.reports.markdown import code, escape

MARK = "<!-- mova-eval gate -->"
"""First line of a comment, by which the next one finds and replaces it."""
SIGNS = {"fail": "❌ fail", "warn": "⚠️ warn", "pass": "✅ pass", "not judged": "– not judged"}
TITLES = {"fail": "❌ Gate failed", "warn": "⚠️ Gate passed with warnings", "pass": "✅ Gate passed"}


def gate_markdown(result: GateResult) -> str:
    """Headline, what failed and what warned; everything that passed is folded."""
    parts = [MARK, f"## {TITLES[result.outcome]}", f"{escape(result.subject)}. Rules: {code(result.gate)}."]
    loud = [*result.having("fail"), *result.having("warn")]
    quiet = [*result.having("pass"), *result.having("not judged")]
    if loud:
        parts.append(_checks(loud))
    if quiet:
        summary = f"{len(result.having('pass'))} checks passed, {len(result.having('not judged'))} not judged"
        parts.append(f"<details><summary>{summary}</summary>\n\n{_checks(quiet)}\n\n</details>")
    return "\n\n".join(parts)


def _checks(checks: list[Check]) -> str:
    rows = [[SIGNS[check.outcome], _what(check), escape(check.message)] for check in checks]
    return table(["", "What", "Why"], rows)


def _what(check: Check) -> str:
    return code(check.name) if check.kind != "coverage" else f"coverage of {code(check.name)}"
