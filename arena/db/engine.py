"""Engine, sessions, units of work: what a transaction is on SQLite and on PostgreSQL, and when to try again.

SQLite: a local file in WAL mode with `synchronous=FULL`; writers begin with BEGIN IMMEDIATE and pass one lock of this
process first, because SQLite's own busy handler is unfair. PostgreSQL: READ COMMITTED with row locks.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from arena.clock import Clock, SystemClock
from arena.db.filesystems import remote_kind
from arena.errors import ArenaError, DatabaseUnavailable

T = TypeVar("T")

ATTEMPTS = 5
"""The first and up to four repetitions."""
BUSY_MS = 10_000
PATIENCE_MS = 15_000
"""No further attempt begins after this long."""
BEGIN = "arena_begin"
STATEMENT_TIMEOUT_MS = 10_000
_TRY_AGAIN_STATES = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "08000", "08003", "08006", "08001"}
_PRAGMAS = (
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("busy_timeout", str(BUSY_MS)),
    ("foreign_keys", "ON"),
    ("wal_autocheckpoint", "1000"),
    ("temp_store", "MEMORY"),
)


class Database:
    """One database, for reading and for units of work.

    url: `sqlite:///FILE` or `postgresql+psycopg://...`. fast: SQLite without flushing, for simulations only (the
    file is marked, and the service refuses it). i_know: accept a file on a network file system. Raises ArenaError for
    an address that cannot work.
    """

    def __init__(self, url: str, *, clock: Clock | None = None, fast: bool = False, i_know: bool = False) -> None:
        self.url = _checked_url(url, i_know)
        self.clock: Clock = clock or SystemClock()
        self.fast = fast
        self._lock = threading.Lock()
        self.engine = _engine(self.url, fast)
        self._writer = self.engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path | None:
        """The database file, on SQLite."""
        return Path(self.url.database or "") if self.is_sqlite else None

    def describe(self) -> str:
        """The address without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database; nothing it does is kept.

        Raises DatabaseUnavailable when the database is gone.
        """
        with self._said_plainly(), Session(self.engine) as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """As `read`, with a bare connection: for what every visit asks."""
        with self._said_plainly(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _said_plainly(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if is_transient(error):
                raise DatabaseUnavailable(f"the database {self.describe()} does not answer: {_said(error)}") from error
            raise

    def write(self, unit: Callable[[Session], T]) -> T:
        """Run one unit of work in exactly one transaction per attempt, and commit it.

        The unit may run again after an error that means "try again", so it must read what it needs itself. Raises
        DatabaseUnavailable when that did not help; other errors of the database pass through, rolled back.
        """
        return self._attempts(lambda: self._once(unit))

    def transact(self, unit: Callable[[Connection], T]) -> T:
        """As `write`, with a bare connection: a third of the cost, for the units that every vote needs."""
        return self._attempts(lambda: self._once_bare(unit))

    def _attempts(self, once: Callable[[], T]) -> T:
        give_up_ms = self.clock.monotonic_ms() + PATIENCE_MS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return once()
            except DBAPIError as error:
                if not is_transient(error):
                    raise
                if attempt == ATTEMPTS or self.clock.monotonic_ms() > give_up_ms:
                    raise DatabaseUnavailable(
                        f"the database {self.describe()} does not answer, nothing was written: {_said(error)}"
                    ) from error
                self.clock.sleep(random.uniform(0.02, 0.1) * 2**attempt)
        raise AssertionError("unreachable")

    def _once(self, unit: Callable[[Session], T]) -> T:
        with self._one_writer(), Session(self._writer, expire_on_commit=False) as session, session.begin():
            return unit(session)

    def _once_bare(self, unit: Callable[[Connection], T]) -> T:
        with self._one_writer(), self._writer.connect() as connection, connection.begin():
            return unit(connection)

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        if not self._lock.acquire(timeout=PATIENCE_MS / 1000):
            raise DatabaseUnavailable("another unit of work of this process holds the database; nothing was written")
        try:
            yield
        finally:
            self._lock.release()

    def writable(self) -> bool:
        """Whether a transaction that writes can begin now."""
        try:
            self.write(lambda session: session.execute(text("SELECT 1")).scalar())
        except (DatabaseUnavailable, DBAPIError):
            return False
        return True

    def close(self) -> None:
        self.engine.dispose()


def is_transient(error: DBAPIError) -> bool:
    """Whether trying again may help: busy, serialisation failure, deadlock, lost connection."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in _TRY_AGAIN_STATES
    said = str(error.orig).lower()
    if isinstance(error, OperationalError | InterfaceError):
        words = ("locked", "busy", "unable to open", "disk i/o", "connection", "server closed", "timeout")
        return any(word in said for word in words)
    return False


def _said(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__


def _checked_url(text_: str, i_know: bool) -> URL:
    try:
        url = make_url(text_)
    except ArgumentError:
        raise ArenaError(
            f"'{text_}' is no database address; give sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        ) from None
    backend = url.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise ArenaError(f"databases of kind '{backend}' are not supported; use sqlite or postgresql+psycopg")
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if not url.database or url.database == ":memory:":
        raise ArenaError("the arena needs a database file, such as sqlite:///arena.sqlite")
    folder = Path(url.database).resolve().parent
    if not folder.is_dir():
        raise ArenaError(f"there is no folder {folder} for the database file")
    kind = remote_kind(folder)
    if kind and not i_know:
        raise ArenaError(
            f"{folder} lies on a network file system ({kind}), where SQLite loses data; use a local disk or PostgreSQL"
            " (--i-know overrides)"
        )
    return url


def _engine(url: URL, fast: bool) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(
            url, connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000}, pool_size=20, max_overflow=100
        )
        event.listen(engine, "connect", _prepare_fast if fast else _prepare)
        event.listen(engine, "begin", _begin)
        return engine
    try:
        return create_engine(
            url,
            isolation_level="READ COMMITTED",
            pool_size=5,
            max_overflow=10,
            pool_pre_ping=True,
            connect_args={"options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c synchronous_commit=on"},
        )
    except (NoSuchModuleError, ModuleNotFoundError):
        raise ArenaError("PostgreSQL needs psycopg; install it with: pip install 'mova-eval[arena-pg]'") from None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(BEGIN, "BEGIN"))


def _prepare(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    for name, value in _PRAGMAS:
        connection.execute(f"PRAGMA {name}={value}")


def _prepare_fast(connection: Any, record: Any) -> None:
    _prepare(connection, record)
    connection.execute("PRAGMA synchronous=OFF")
