"""`mova-eval doctor`: what can run on this machine, what is missing, and how to get it."""

from __future__ import annotations

from typing import Annotated

import typer

from mova_eval.cli.app import EXIT_OK, EXIT_PARTIAL, app

SIGNS = {"ok": "ok     ", "missing": "missing", "wrong": "WRONG  ", "info": "       "}


@app.command()
def doctor(
    truth: Annotated[
        bool,
        typer.Option("--truth", help="Also render clips of known content and check that metrics point the right way."),
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Say what can run on this machine and what is missing; exit code 3 when something is wrong.

    A part that is merely missing (an optional package, weights not fetched) is no error.
    """
    from mova_eval.doctor import examine

    findings = examine()
    if truth:
        from mova_eval.truth import check_truth

        findings += check_truth()
    if json_:
        import json
        from dataclasses import asdict

        typer.echo(json.dumps([asdict(f) for f in findings], indent=2))
    else:
        for f in findings:
            typer.echo(f"{SIGNS[f.state]} {f.name}: {f.detail}" + (f"; {f.remedy}" if f.remedy else ""))
    return EXIT_PARTIAL if any(f.state == "wrong" for f in findings) else EXIT_OK
