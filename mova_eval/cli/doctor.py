"""`mova-eval doctor`: what can run on this machine, what is missing, and how to get it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mova_eval.cli.app import EXIT_OK, EXIT_PARTIAL, app
from mova_eval.cli.options import PRECISIONS, one_of

SIGNS = {"ok": "ok     ", "missing": "missing", "wrong": "WRONG  ", "info": "       "}


@app.command()
def doctor(
    truth: Annotated[
        bool,
        typer.Option("--truth", help="Also render clips of known content and check that metrics point the right way."),
    ] = False,
    parity: Annotated[
        bool,
        typer.Option(
            "--parity", help="Also score golden clips and compare with frozen values; prints the differences."
        ),
    ] = False,
    precision: Annotated[
        str | None, typer.Option(help="With --parity: float16 or bfloat16, to see how far it moves the numbers.")
    ] = None,
    device: Annotated[str, typer.Option(help="With --parity: auto, cpu, cuda or cuda:N.")] = "cpu",
    freeze: Annotated[
        Path | None, typer.Option(hidden=True, help="Write the values of now to this file instead (for maintainers).")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Say what can run on this machine and what is missing; exit code 3 when something is wrong.

    A part that is merely missing (an optional package, weights not fetched) is no error.
    """
    from mova_eval.doctor import examine

    if precision is not None:
        one_of("--precision", precision, PRECISIONS)
    if freeze is not None:
        from mova_eval.parity import freeze as write_values
        from mova_eval.runs.plan import resolve_device

        typer.echo(f"{write_values(freeze, device=resolve_device(device))} values in {freeze}")
        return EXIT_OK
    findings = examine()
    if truth:
        from mova_eval.truth import check_truth

        findings += check_truth()
    if parity:
        from mova_eval.parity import check_parity
        from mova_eval.runs.plan import resolve_device

        findings += check_parity(precision=precision, device=resolve_device(device), progress=_tell)
    if json_:
        import json
        from dataclasses import asdict

        typer.echo(json.dumps([asdict(f) for f in findings], indent=2))
    else:
        for f in findings:
            typer.echo(f"{SIGNS[f.state]} {f.name}: {f.detail}" + (f"; {f.remedy}" if f.remedy else ""))
    return EXIT_PARTIAL if any(f.state == "wrong" for f in findings) else EXIT_OK


def _tell(name: str, done: int, total: int) -> None:
    """Which metric is being compared, on standard error."""
    typer.echo(f"parity {done}/{total}: {name}", err=True)
