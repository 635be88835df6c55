"""What an executor can do with a worker, wherever that runs; and workers that are programs on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_BOOTSTRAP = (
    "import json, sys; fd, path = json.loads(sys.argv[1]); sys.path[:] = path\n"
    "from mova_eval.runs.worker import main; main(fd)"
)


class WorkerProcess(Protocol):
    """A worker, seen from outside."""

    def signal(self, number: signal.Signals) -> None:
        """Ask it, or SIGKILL: make it, to end, with all that it has started."""
        ...

    def has_ended(self) -> bool:
        """Whether it has ended."""
        ...

    def wait(self) -> None:
        """Wait for its end."""
        ...

    def ending(self) -> str:
        """How it ended, for a person."""
        ...


class Program:
    """A worker that is a program of its own on this machine, the leader of its own process group."""

    def __init__(self, descriptor: int, environment: Mapping[str, str], log: Path) -> None:
        """descriptor: the worker's end of its pipe. log: file to which what it prints is added."""
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOTSTRAP, json.dumps([descriptor, sys.path])],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                pass_fds=[descriptor],
                process_group=0,  # Ctrl-C at the terminal is for the main process alone
            )

    def signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:  # until it is waited for, its number means it and its group
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def has_ended(self) -> bool:
        if self._process.returncode is not None or not hasattr(os, "waitid"):
            return self._process.poll() is not None
        try:  # leaving it to be waited for, so that its number still means it and its group
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def wait(self) -> None:
        self._process.wait()

    def ending(self) -> str:
        code = self._process.returncode
        if code >= 0:
            return f"exit code {code}"
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
