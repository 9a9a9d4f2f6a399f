"""A real PostgreSQL for tests: its own directory, its own port, stopped by its id."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

PACKAGE = "postgresql"
USER = "awf"
PASSWORD = "a password of this test: @/%"
START_TIMEOUT_S = 60


def require_postgres() -> Path:
    """Return the folder of the server's programs; skip (fail with CI set) when Debian's package is missing."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("postgres")
    if found or on_path:
        return found[-1].parent if found else Path(str(on_path)).parent
    message = f"no PostgreSQL server is installed: apt-get install --no-install-recommends {PACKAGE}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Yield a server of its own, started, and remove it."""
    server = Postgres()
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


class Postgres:
    """One server on loopback. It refuses to run as root, so then it belongs to another user."""

    def __init__(self) -> None:
        self._programs = require_postgres()
        self._owner = next(
            (name for name in ("postgres", "nobody") if _exists(name)), None
        ) if os.geteuid() == 0 else None  # fmt: skip
        self.home = Path(tempfile.mkdtemp(prefix="awf-postgres-"))
        if self._owner:
            shutil.chown(self.home, self._owner)
        self._data = self.home / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self.port = _free_port()
        self.log = self.home / "log"
        self.pid = 0

    def create(self) -> None:
        """Make the cluster: a superuser with a password, asked for on every connection over TCP."""
        secret = self.home / "secret"
        secret.write_text(PASSWORD, encoding="utf-8")
        self.give(secret)
        command = [
            "initdb", "--pgdata", str(self._data), "--username", USER, "--pwfile", str(secret), "--encoding", "UTF8",
            "--locale", "C.UTF-8", "--auth-host", "scram-sha-256", "--auth-local", "trust", "--no-sync",
        ]  # fmt: skip
        done = subprocess.run(
            self._absolute(command), user=self._owner, cwd="/", capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")

    def give(self, path: Path) -> None:
        """Make a file the server's own, and nobody else's."""
        path.chmod(0o600)
        if self._owner:
            shutil.chown(path, self._owner)

    def start(self, **options: str) -> None:
        """Start it, with settings of the test's own, and wait until it takes connections."""
        settings = {
            "port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.home),
            "fsync": "off", "shared_buffers": "16MB", **options,
        }  # fmt: skip
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as stream:
            self._process = subprocess.Popen(
                self._absolute(["postgres", "-D", str(self._data), *flags]),
                user=self._owner, cwd="/", stdout=stream, stderr=stream,
            )  # fmt: skip
        self.pid = self._process.pid
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            said = self.log.read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, f"PostgreSQL ended: {said}"
            assert time.monotonic() < deadline, f"PostgreSQL did not start: {said}"
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop it, as it were for a restart; SIGQUIT is its crash."""
        if self._process is not None:
            self.signal_all(signal.SIGCONT)
            self._process.send_signal(number)
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:  # its children end when it is gone
                self._process.kill()
                self._process.wait(timeout=30)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the server and every process of it: stopped, it is silent as behind a cut cable."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for each in (str(self.pid), *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(each), number)

    def new_database(self) -> str:
        """Make an empty database and return its URL, without a password."""
        name = f"awf_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name}", database="postgres")
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def drop(self, url: str) -> None:
        self.sql(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)", database="postgres")

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Yield the URL of an empty database, and drop it."""
        url = self.new_database()
        yield url
        self.drop(url)

    def dump_and_restore(self, url: str, into: str) -> None:
        """Do what the documentation says about backups."""
        place = ["-h", str(self.home), "-p", str(self.port), "-U", USER]
        file = str(self.home / "awf.dump")
        for command in (
            ["pg_dump", *place, "--format=custom", f"--file={file}", url.rpartition("/")[2]],
            ["pg_restore", *place, "--exit-on-error", "--no-owner", "-d", into.rpartition("/")[2], file],
        ):
            done = subprocess.run(
                self._absolute(command), cwd="/", capture_output=True, check=False, timeout=60
            )
            assert done.returncode == 0, done.stderr.decode(errors="replace")

    def sql(self, statement: str, *, database: str) -> str:
        """Run a statement as the superuser and return what it printed."""
        command = self._absolute(
            [
                "psql",
                "-h",
                str(self.home),
                "-p",
                str(self.port),
                "-U",
                USER,
                "-d",
                database,
                "-qtAXc",
                statement,
            ]
        )
        done = subprocess.run(command, cwd="/", capture_output=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode().strip()

    def _answers(self) -> bool:
        command = self._absolute(["pg_isready", "-q", "-h", str(self.home), "-p", str(self.port)])
        return subprocess.run(command, cwd="/", check=False, timeout=10).returncode == 0

    def _absolute(self, command: list[str]) -> list[str]:
        return [str(self._programs / command[0]), *command[1:]]


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
