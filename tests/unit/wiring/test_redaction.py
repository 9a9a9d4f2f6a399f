"""The redactor that the settings ask for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from awf.core.counters import Counters
from awf.core.semconv import REDACTIONS
from awf.errors import ConfigError, DataDirError
from awf.settings import load
from awf.wiring.redaction import build_redactor, redact_rules, secret_token_store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "redact.yaml"
    path.write_text("patterns:\n  employee: 'EMP-\\d{6}'\n  zip: '\\d{5}'\nsecret_names: [iban]\n")
    return path


def test_without_settings_the_known_secrets_are_masked_and_counted() -> None:
    counters = Counters()
    assert build_redactor(load(), counters).text("bob@example.com EMP-123456") == "[email] EMP-123456"
    assert counters.get(REDACTIONS, kind="email") == 1


def test_patterns_and_names_come_from_the_file(file: Path) -> None:
    redactor = build_redactor(load(redact_file=file))
    assert redactor.text("EMP-123456 iban=DE02") == "[employee] iban=[secret]"


def test_a_file_of_json_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "redact.json"
    path.write_text('{"patterns": {"employee": "EMP-\\\\d{6}"}}')
    assert build_redactor(load(redact_file=path)).text("EMP-123456") == "[employee]"


def test_variables_add_to_the_file_and_win(file: Path) -> None:
    settings = load(
        redact_file=file, redact_patterns='{"zip": "Z[0-9]+"}', redact_secret_names=" vat_id, ,tax number"
    )
    rules = redact_rules(settings)
    assert rules.patterns == {"employee": r"EMP-\d{6}", "zip": "Z[0-9]+"}
    assert rules.secret_names == ("iban", "vat_id", "tax number")
    assert (
        build_redactor(settings).text("Z7 vatId=1 TAX_NUMBER: 2")
        == "[zip] vatId=[secret] TAX_NUMBER: [secret]"
    )


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', "EMP-[0-9]+"])
def test_patterns_that_are_no_object_of_texts_are_named(text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"AWF_REDACT_PATTERNS={text!r}: ")):
        build_redactor(load(redact_patterns=text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("patterns: [", "is not YAML"),
        ("pattern: {}", "pattern: Extra inputs"),
        ("- a", "valid dictionary"),
        ("patterns: {a: 1}", r"patterns\.a: "),
        ("patterns: {a: '('}", "'a' is no regular expression"),
        ("secret_names: ['=']", "'=' is no name"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "redact.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        build_redactor(load(redact_file=path))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"AWF_REDACT_FILE=.*nothing cannot be read"):
        build_redactor(load(redact_file=tmp_path / "nothing"))


def test_an_empty_file_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "redact.yaml"
    path.touch()
    assert build_redactor(load(redact_file=path)).text("abc") == "abc"


def test_nothing_is_kept_unless_it_was_asked_for(tmp_path: Path) -> None:
    build_redactor(load(data_dir=tmp_path / "data")).text("bob@example.com")
    assert not (tmp_path / "data").exists()


def test_reversible_masks_are_revealed_from_the_data_directory(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path / "data", redact_reversible=True)
    masked = build_redactor(settings).text("bob@example.com")
    assert re.fullmatch(r"\[email:[0-9a-f]{12}\]", masked)
    assert secret_token_store(settings).reveal(masked) == "bob@example.com"


def test_a_data_directory_that_cannot_keep_secrets_is_an_error_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirError):
        build_redactor(load(data_dir=tmp_path / "file", redact_reversible=True))
