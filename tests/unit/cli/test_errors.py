"""What goes wrong on the command line is one sentence, one hint and a named exit code; never a traceback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from awf import errors
from tests.unit.cli._program import HOST, REPOSITORY, awf, environ, free_ports


def _says(done: subprocess.CompletedProcess[str], code: int) -> tuple[str, str]:
    """Check the form of an error and return its sentence and its hint."""
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]  # log lines are JSON
    assert len(lines) in (1, 2), done.stderr
    assert lines[0].startswith("awf: ")
    assert done.stdout == ""
    return lines[0].removeprefix("awf: "), lines[1].strip() if len(lines) == 2 else ""


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port that is taken and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        yield taken.getsockname()[1]


@pytest.fixture
def stranger() -> Iterator[tuple[list[bytes], int]]:
    """Serve what a test puts into the list, with 200: something else that listens where AWF should."""
    body = [b""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body[0])

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield body, server.server_port
        server.shutdown()
        thread.join(10)


# -- settings: code 2


@pytest.mark.parametrize(
    ("settings", "sentence", "hint"),
    [
        (
            {"AWF_DATADIR": "x"},
            "unknown setting AWF_DATADIR (did you mean AWF_DATA_DIR?)",
            "docs/settings.md lists every AWF_* variable.",
        ),
        ({"AWF_API_PORT": "abc"}, "AWF_API_PORT='abc': ", "docs/settings.md"),
        ({"AWF_API_PORT": "70000"}, "AWF_API_PORT='70000': ", "docs/settings.md"),
        ({"AWF_TOKEN_FILE": "/nothing/here"}, "AWF_TOKEN_FILE=/nothing/here cannot be read", "readable"),
        ({}, "no token: AWF_TOKEN is not set and ", "AWF_DATA_DIR"),
        ({"AWF_TOKEN": "smörgås", "AWF_HOST": HOST}, "the token for http://", "Set AWF_TOKEN"),
        ({"AWF_TOKEN": "two\nlines", "AWF_HOST": HOST}, "the token for http://", "Set AWF_TOKEN"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(
    settings: dict[str, str], sentence: str, hint: str, tmp_path: Path
) -> None:
    said, advice = _says(awf(tmp_path, "incidents", **settings), errors.ConfigError.exit_code)
    assert said.startswith(sentence)
    assert hint in advice


def test_a_wrong_token_is_not_shown(tmp_path: Path) -> None:
    done = awf(tmp_path, "incidents", AWF_TOKEN="smörgås", AWF_HOST=HOST)
    assert "smörgås" not in done.stdout + done.stderr


def test_two_settings_with_one_port_are_both_named(tmp_path: Path, silent_port: int) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        free = other.getsockname()[1]
    done = awf(tmp_path, "up", AWF_HOST=HOST, AWF_API_PORT=free, AWF_GRAFANA_PORT=free)
    assert f"AWF_API_PORT and AWF_GRAFANA_PORT are both {free}" in _says(done, 2)[0]


# -- ports, programs, data: codes 3, 4, 5


@pytest.mark.parametrize(
    ("command", "setting"),
    [("up", "AWF_API_PORT"), ("up", "AWF_OTLP_HTTP_PORT"), ("serve", "AWF_API_PORT"), ("embedded", "AWF_LOKI_PORT")],
)  # fmt: skip
def test_a_port_in_use_is_named_with_its_setting(command: str, setting: str, tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        done = awf(tmp_path, command, AWF_HOST=HOST, **free_ports() | {setting: port})
    said, hint = _says(done, errors.PortInUse.exit_code)
    assert f"port {port} ({setting})" in said
    assert HOST in said
    assert setting in hint


@pytest.mark.parametrize("command", ["incidents", "doctor", "up", "serve", "embedded", "demo", "generate"])
def test_without_the_extras_the_line_that_installs_them_is_shown(command: str, tmp_path: Path) -> None:
    # -S leaves out site-packages, -E what would bring them back: the package as `pip install awf` has it.
    done = awf(tmp_path, command, cwd=REPOSITORY, python=("-S", "-E"))
    said, hint = _says(done, errors.MissingDependency.exit_code)
    assert said.endswith("is not installed")
    assert hint == "pip install 'awf[all]'"


def test_workflows_are_found_in_the_folder_where_one_stands(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text("registry = 5\n")
    # -P: as the installed program, Python itself does not look into this folder.
    done = awf(tmp_path, "serve", python=("-P",), cwd=tmp_path, AWF_WORKFLOWS="flows:registry",
               AWF_HOST=HOST, **free_ports())  # fmt: skip
    said, _ = _says(done, errors.ConfigError.exit_code)
    assert said == "AWF_WORKFLOWS='flows:registry' is a int, expected awf.orchestration.Registry"


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_data_directory_that_is_a_file_is_named(command: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    done = awf(tmp_path, command, AWF_DATA_DIR=file, AWF_HOST=HOST, **free_ports())
    said, hint = _says(done, errors.DataDirError.exit_code)
    assert said.startswith(f"the data directory {file} cannot be used: ")
    assert "AWF_DATA_DIR" in hint


def test_a_demo_that_never_ran_cannot_be_told_of_a_fault(tmp_path: Path) -> None:
    said, hint = _says(awf(tmp_path, "demo", "fault", "agent_errors"), errors.DataDirError.exit_code)
    assert str(tmp_path / "data") in said
    assert "awf up" in hint


# -- servers: code 7


def test_a_server_that_does_not_run_is_named_with_its_address(tmp_path: Path, silent_port: int) -> None:
    done = awf(tmp_path, "incidents", AWF_TOKEN="t", AWF_HOST=HOST, AWF_API_PORT=silent_port)
    said, hint = _says(done, errors.Unavailable.exit_code)
    assert said.startswith(f"the AWF server at http://{HOST}:{silent_port} does not answer: ")
    assert "running" in hint


def test_an_address_that_is_none_is_shown_as_it_was_given(tmp_path: Path) -> None:
    said, _ = _says(awf(tmp_path, "incidents", AWF_TOKEN="t", AWF_API_URL="nowhere"), 7)
    assert "the AWF server at nowhere does not answer" in said


def test_another_server_on_our_port_is_recognised(tmp_path: Path, stranger: tuple[list[bytes], int]) -> None:
    body, port = stranger
    body[0] = b"<html>it works</html>"
    said, hint = _says(awf(tmp_path, "incidents", AWF_TOKEN="t", AWF_HOST=HOST, AWF_API_PORT=port), 7)
    assert said == f"what answers at http://{HOST}:{port} is not AWF: '<html>it works</html>'"
    assert "AWF_API_PORT" in hint


def test_what_nobody_foresaw_is_one_sentence_and_the_place_on_request(
    tmp_path: Path, stranger: tuple[list[bytes], int]
) -> None:
    body, port = stranger
    body[0] = b"{}"
    settings = {"AWF_TOKEN": "t", "AWF_HOST": HOST, "AWF_API_PORT": port}
    said, hint = _says(awf(tmp_path, "incidents", **settings), 1)
    assert said.startswith("unexpected KeyError: ")
    assert "AWF_LOG_LEVEL=DEBUG" in hint
    more = awf(tmp_path, "incidents", AWF_LOG_LEVEL="DEBUG", **settings).stderr
    logged = [json.loads(line) for line in more.splitlines() if line.startswith("{")]
    assert any("KeyError" in entry.get("exception", "") for entry in logged)


# -- arguments


@pytest.mark.parametrize(
    ("arguments", "sentence", "hint"),
    [
        (["executions", "--start", "x", "--input", "["], "--input is not JSON: ", '{"topic": "rain"}'),
        (["executions", "--start", "x", "--input", "[]"], "--input is a list, expected a JSON object", ""),
        (["approvals", "approve"], "`awf approvals approve` needs the id of an approval", "approvals list"),
        (["token", "create"], "`awf token create` needs a name", "awf token create alice"),
        (["demo", "fault", "flood"], "no fault is named 'flood'", "agent_errors"),
        (["demo", "fault"], "no fault is named None", "agent_errors"),
    ],
)
def test_a_wrong_argument_is_named_before_any_server_is_asked(
    arguments: list[str], sentence: str, hint: str, tmp_path: Path
) -> None:
    said, advice = _says(awf(tmp_path, *arguments), errors.InvalidInput.exit_code)
    assert said.startswith(sentence)
    assert hint in advice


# -- the two ways in which a person ends a command


def test_ctrl_c_while_waiting_for_a_server_is_code_130(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(30)
        settings = {"AWF_TOKEN": "t", "AWF_HOST": HOST, "AWF_API_PORT": listener.getsockname()[1]}
        process = subprocess.Popen(
            [sys.executable, "-m", "awf", "incidents"], cwd=tmp_path, env=environ(tmp_path, **settings),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        connection, _ = listener.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "awf", "generate", "--check", "--json"], cwd=REPOSITORY, stdout=writing,
        env=environ(tmp_path), stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
