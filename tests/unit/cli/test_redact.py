"""`awf redact`: what would be masked, and what a mask stands for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from awf import errors
from awf.orchestration.secret_tokens import SecretTokenStore
from awf.wiring.redaction import STORE
from tests.unit.cli._program import awf, environ


def _piped(
    home: Path, given: bytes, *arguments: str, **settings: object
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "awf", "redact", *arguments], cwd=home, env=environ(home, **settings),
        input=given, capture_output=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_text_with_a_secret_is_shown_masked_and_is_code_one(tmp_path: Path) -> None:
    done = awf(tmp_path, "redact", "check", "mail bob@example.com", "password=hunter2")
    assert (done.stdout, done.returncode) == ("mail [email] password=[password]\n", 1)
    assert done.stderr == "masked: 1 email, 1 password\n"


def test_a_clean_text_stays_and_is_code_zero(tmp_path: Path) -> None:
    done = awf(tmp_path, "redact", "check", "--json", "all is well")
    assert (json.loads(done.stdout), done.returncode) == ({"text": "all is well", "masked": {}}, 0)


def test_without_a_text_standard_input_is_read_as_it_is(tmp_path: Path) -> None:
    done = _piped(tmp_path, "first\nEMP-123456 ü\n".encode() + b"\xff\n", "check",
                  AWF_REDACT_PATTERNS='{"employee": "EMP-[0-9]{6}"}')  # fmt: skip
    assert done.stdout.decode() == "first\n[employee] ü\n\ufffd\n"
    assert done.returncode == 1


def test_checking_keeps_nothing(tmp_path: Path) -> None:
    done = awf(tmp_path, "redact", "check", "bob@example.com", AWF_REDACT_REVERSIBLE="true")
    assert done.stdout == "[email]\n"
    assert not (tmp_path / "data").exists()


def test_a_pattern_that_is_wrong_is_named(tmp_path: Path) -> None:
    done = awf(tmp_path, "redact", "check", "x", AWF_REDACT_PATTERNS='{"badge": "("}')
    assert done.returncode == errors.ConfigError.exit_code
    assert done.stderr.startswith("awf: the redaction pattern 'badge' is no regular expression")


def test_tokens_and_masks_are_revealed(tmp_path: Path) -> None:
    store = SecretTokenStore(tmp_path / "data" / STORE)
    bob, key = store.token("email", "bob@example.com"), store.token("api_key", "two words")
    assert awf(tmp_path, "redact", "reveal", bob).stdout == "bob@example.com\n"
    both = awf(tmp_path, "redact", "reveal", bob, f"[api_key:{key}]")
    assert both.stdout == f"{bob}  bob@example.com\n[api_key:{key}]  two words\n"
    assert json.loads(awf(tmp_path, "redact", "reveal", "--json", bob).stdout) == {bob: "bob@example.com"}


def test_a_token_that_nobody_gave_is_named(tmp_path: Path) -> None:
    done = awf(tmp_path, "redact", "reveal", "0f1e2d3c4b5a")
    assert (done.returncode, done.stdout) == (errors.NotFound.exit_code, "")
    assert done.stderr.startswith("awf: no secret is kept for '0f1e2d3c4b5a' in ")
    assert not (tmp_path / "data").exists()


def test_revealing_nothing_is_a_wrong_argument(tmp_path: Path) -> None:
    done = awf(tmp_path, "redact", "reveal")
    assert done.returncode == errors.InvalidInput.exit_code
    assert "required: TOKEN" in done.stderr
