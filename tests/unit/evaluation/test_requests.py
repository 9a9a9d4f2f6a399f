from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from awf.core.clock import isoformat
from awf.evaluation.requests import Request, judge_service, read_ledger

START = datetime(2026, 1, 1, tzinfo=UTC)


def requests(text: str, *, every_s: float = 1.0, workflow: str = "w") -> list[Request]:
    """One request a letter: good, failed, spoiled, late, open."""
    found = []
    for number, letter in enumerate(text):
        at = START + timedelta(seconds=number * every_s)
        took = timedelta(seconds=20 if letter == "l" else 2)
        ended = None if letter == "o" else at + took
        found.append(Request(workflow, at, ended, letter in "gsl", int(letter == "s")))
    return found


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_users_suffer_from_the_first_bad_request_until_the_first_of_the_last_good_ones() -> None:
    found = judge_service(requests("ggggg" + "f" * 10 + "g" * 20), START, at(60))
    assert (found.suffered_at, found.recovered_at) == (at(5), at(15))


def test_failed_spoiled_late_and_unanswered_requests_all_count() -> None:
    for letter in "fslo":
        found = judge_service(requests("g" * 12 + letter * 6 + "g" * 12), START, at(60))
        assert (found.suffered_at, found.recovered_at) == (at(12), at(18)), letter


def test_one_here_and_there_is_no_trouble() -> None:
    assert not judge_service(requests(("g" * 15 + "f") * 3 + "g" * 15), START, at(80)).suffered


def test_nobody_has_recovered_while_there_are_fewer_than_ten_good_ones_in_a_row() -> None:
    assert judge_service(requests("f" * 10 + "g" * 8), START, at(60)).recovered_at is None
    assert judge_service(requests("f" * 10 + "g" * 20 + "f" * 5), START, at(60)).recovered_at is None


def test_only_workflows_that_were_hit_count_and_only_since_it_began() -> None:
    both = [*requests("f" * 10 + "g" * 12), *requests("g" * 22, workflow="healthy")]
    found = judge_service(sorted(both, key=lambda each: each.asked_at), START, at(60))
    assert found.recovered_at == at(10)
    assert found.share_good == 12 / 22
    assert not judge_service(both, at(10), at(60)).suffered


def test_a_request_that_was_just_made_says_nothing_yet() -> None:
    found = judge_service(requests("f" * 10 + "g" * 15 + "o"), START, at(27))
    assert found.recovered_at == at(10)


def test_a_ledger_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    assert read_ledger(path) == []
    asked, ended = isoformat(START), isoformat(at(3))
    lines = [
        {"id": "a", "workflow_id": "w", "asked_at": asked},
        {"id": "b", "workflow_id": "w", "asked_at": asked},
        {"id": "a", "workflow_id": "w", "asked_at": asked, "ended_at": ended, "is_ok": True, "spoiled": 2},
        {"id": "", "workflow_id": "w", "asked_at": ended, "ended_at": ended, "is_ok": False},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"id": "c", "workf')
    assert read_ledger(path) == [
        Request("w", START, at(3), True, 2), Request("w", START), Request("w", at(3), at(3))
    ]  # fmt: skip
