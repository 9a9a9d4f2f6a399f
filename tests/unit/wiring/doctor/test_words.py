"""Network errors in words, versions against their ranges, rules compared by what they mean."""

from __future__ import annotations

import pytest

from awf.settings import load
from awf.wiring.doctor.network import meaning
from awf.wiring.doctor.rules import Loaded, compare, generated
from awf.wiring.doctor.supported import RANGES, judge


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("[Errno 111] Connection refused", "nothing listens there"),
        ("[Errno -2] Name or service not known", "cannot be resolved"),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
            "not trusted",
        ),
        (
            "certificate verify failed: Hostname mismatch, certificate is not valid for 'alloy'",
            "for another name",
        ),
        ("certificate verify failed: certificate has expired", "has expired"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1016)", "speaks no TLS"),
        ("UNAVAILABLE: the server speaks HTTP/1.1: is this its port?", "speaks HTTP, not gRPC"),
        ("('Connection aborted.', BadStatusLine('\\x00'))", "not in this protocol"),
        ("DEADLINE_EXCEEDED: Deadline Exceeded", "not answer in time"),
        ("something new", "something new"),
    ],
)
def test_an_error_is_said_in_words_with_what_to_do(error: str, words: str) -> None:
    said, hint = meaning(error)
    assert words in said
    assert hint


@pytest.mark.parametrize(
    ("program", "version", "complaint"),
    [
        ("Grafana", "13.2.3", ""),
        ("Grafana", "11.4.0", "too old"),
        ("Grafana", "14.0.1", "newer than"),
        ("Tempo", "v3.1.0", ""),
        ("Mimir or Prometheus", "2.42.0", ""),
        ("Loki", "2.9.4", "too old"),
        ("Grafana", "", "expected 12.0"),
    ],
)
def test_versions_are_judged_by_the_table(program: str, version: str, complaint: str) -> None:
    assert judge(program, version).startswith(complaint)
    assert bool(judge(program, version)) is bool(complaint)


def test_every_range_has_its_reason() -> None:
    assert all(each.hint and each.lowest < each.beyond for each in RANGES.values())


OURS = {"awf:a": ['sum by (x) (rate(m{y="1"}[5m]))'], "awf:b": ["m > 1"], "awf:c": ["1"]}


def test_rules_are_compared_by_what_they_mean_and_not_by_how_they_are_printed() -> None:
    theirs = [
        Loaded("awf:a", 'sum by(x) (rate( m{y="1"}[5m] ))', "ok", ""),
        Loaded("awf:b", "m > 2", "err", "out of order"),
        Loaded("awf:d", "1", "ok", ""),
        Loaded("node:load", "1", "ok", ""),
    ]
    found = compare(OURS, theirs, with_expressions=True, prefixes=("awf:",))
    assert (found.missing, found.extra, found.changed) == (("awf:c",), ("awf:d",), ("awf:b",))
    assert found.failing == {"awf:b": "out of order"}


def test_what_is_generated_has_rules_of_both_kinds() -> None:
    assert "awf:error_budget_remaining:ratio" in generated("record", load())
    assert "AWFAgentErrors" in generated("alert", load())
