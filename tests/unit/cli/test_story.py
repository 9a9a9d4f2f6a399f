"""The story that `awf up` tells: who is meant, and lines that fit a terminal."""

from __future__ import annotations

from awf.cli._story import INDENT, _wrapped, told
from awf.cli.up import _what_comes
from awf.settings import load

SETTINGS = load(data_dir="/srv/awf")


def test_a_change_of_status_says_which_incident_it_is_about() -> None:
    incident = {"title": "Agent writer fails"}
    assert told({"kind": "status", "text": "resolved"}, incident) == "resolved · Agent writer fails"
    assert told({"kind": "alert", "text": "A is firing"}, incident) == "A is firing"


def test_long_lines_are_wrapped_under_the_text_and_addresses_stay_whole() -> None:
    link = "http://127.0.0.1:8000/ui/incidents/inc_0123456789abcdef-0123456789"
    lines = _wrapped(f"{'word ' * 20}{link}", 80).split("\n")
    assert len(lines) > 2
    assert all(line.startswith(INDENT) for line in lines[1:])
    assert any(link in line for line in lines)


def test_a_newcomer_is_told_what_will_happen() -> None:
    assert "agent_errors after 60 s, rate_limit after 90 s" in _what_comes(
        SETTINGS, "agent_errors:60, rate_limit:90", demo=True
    )
    assert "AWF_DATA_DIR=/srv/awf" in _what_comes(SETTINGS, "", demo=True)
    assert "OTLP" in _what_comes(SETTINGS, "agent_errors:60", demo=False)
