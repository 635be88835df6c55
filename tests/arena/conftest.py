"""Both databases, real: SQLite files copied from a migrated template, PostgreSQL started for the test run."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")

from arena_world import World, make_world

from arena.clock import FakeClock
from arena.db.engine import Database
from arena.db.migrate import upgrade

_NAMES = itertools.count()
_BINARIES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/bin"), Path("/usr/bin"))


class PostgreSQL:
    """A cluster of its own in a temporary folder, reached over a unix socket; needs no network.

    Without fsync: killed processes lose nothing of what the operating system holds, and a busy disk stalls no test.
    """

    def __init__(self, binaries: Path) -> None:
        self.binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="arena-pg-", dir="/tmp"))
        self.as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.as_owner:
            shutil.chown(self.folder, "postgres")
        self.data = self.folder / "data"
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "arena", "-E", "UTF8", "--no-sync")
        self.start()

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [*self.as_owner, str(self.binaries / program), *map(str, arguments)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=self.folder, timeout=130)
        if done.returncode != 0:
            log = self.folder / "log"
            said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr}\n{said}")

    def start(self) -> None:
        options = f"-k {self.folder} -p 5432 -c listen_addresses='' -c max_connections=120 -c fsync=off"
        self._run("pg_ctl", "-D", self.data, "-o", options, "-l", self.folder / "log", "-w", "-t", "120", "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def new_database(self, template: str = "template1") -> str:
        name = f"arena{next(_NAMES)}"
        psql = ("-h", self.folder, "-U", "arena", "-d", "postgres", "-q", "-c")
        self._run("psql", *psql, f"CREATE DATABASE {name} TEMPLATE {template}")
        return f"postgresql+psycopg://arena@/{name}?host={self.folder}"

    def remove(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _main_module() -> Iterator[None]:
    """A page that runs in the test's process takes the place of `__main__`, which processes started later would load."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    binaries = next((folder for folder in _BINARIES if (folder / "initdb").exists()), None)
    if binaries is None:
        if os.environ.get("ARENA_REQUIRE_PG"):
            pytest.fail("ARENA_REQUIRE_PG is set and no PostgreSQL server is installed")
        pytest.skip("no PostgreSQL server is installed (apt-get install postgresql)")
    server = PostgreSQL(binaries)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "arena.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.connection.dbapi_connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    database.close()
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql: PostgreSQL) -> str:
    url = postgresql.new_database()
    database = Database(url)
    upgrade(database)
    database.close()
    return url.partition("@/")[2].partition("?")[0]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated, empty database of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "arena.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.new_database(request.getfixturevalue("postgresql_template"))


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "arena.sqlite"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def new_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Make arenas with an open campaign; see `make_world`."""
    made: list[World] = []

    def make(url: str, **options: object) -> World:
        world = make_world(url, tmp_path / "media", clock=FakeClock(), **options)  # type: ignore[arg-type]
        made.append(world)
        return world

    yield make
    for world in made:
        world.arena.close()


@pytest.fixture
def world(database_url: str, new_world: Callable[..., World]) -> World:
    """Three models, twelve items, an open campaign, on each database."""
    return new_world(database_url)


@pytest.fixture
def small_world(sqlite_url: str, new_world: Callable[..., World]) -> World:
    """The same on SQLite alone, for what does not depend on the database."""
    return new_world(sqlite_url)
