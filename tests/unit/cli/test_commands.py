"""The commands that talk to a server, against the real API: what they print, with and without --json."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from awf.core.incidents import IncidentStatus
from awf.core.types import EngineId, ExecutionId, ExecutionRecord, ExecutionStatus, WorkflowId
from tests.unit.api._parts import make_approval, make_incident
from tests.unit.cli._program import awf
from tests.unit.cli._server import Server, serving


class Run(Protocol):
    """Run a command against the server and return what it printed."""

    async def __call__(self, *arguments: str, code: int = 0, said: str = "") -> str: ...


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Run:
    async def run(*arguments: str, code: int = 0, said: str = "") -> str:
        done: subprocess.CompletedProcess[str] = await asyncio.to_thread(
            awf, tmp_path, *arguments, **server.settings
        )
        assert done.returncode == code, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert bool(done.stderr) == bool(code)
        return done.stdout

    return run


EMPTY = {
    "incidents": "No incidents. One appears when an alert reaches the watcher.\n",
    "approvals": "Nothing waits for a decision.\n",
    "executions": "No executions. Start one with --start WORKFLOW, or run `awf demo`.\n",
    "audit": "The audit log is empty.\n",
}
NOT_THERE = (
    ("incidents", "inc_none"),
    ("incidents", "report", "inc_none"),
    ("executions", "x_none"),
    ("approvals", "show", "apr_none"),
    ("approvals", "approve", "apr_none"),
    ("token", "revoke", "nobody"),
    ("incidents", "../healthz?x=1#y"),
)


async def test_an_empty_list_is_a_sentence_and_for_a_machine_an_empty_list(run: Run) -> None:
    shown = await asyncio.gather(*(run(command) for command in EMPTY))
    assert dict(zip(EMPTY, shown, strict=True)) == EMPTY
    lists = await asyncio.gather(*(run(command, "--json") for command in EMPTY))
    assert [json.loads(text)["items"] for text in lists] == [[]] * len(EMPTY)


async def test_what_is_not_there_is_an_error_that_says_so(run: Run) -> None:
    shown = await asyncio.gather(*(run(*arguments, code=1, said="awf: ") for arguments in NOT_THERE))
    assert set(shown) == {""}


async def test_an_incident_is_listed_and_shown_with_its_story(server: Server, run: Run) -> None:
    await server.state.incidents.save(make_incident("inc_1"))
    await server.state.incidents.save(replace(make_incident("inc_2"), status=IncidentStatus.ACTING))
    lines = (await run("incidents", "--status", "acting")).splitlines()
    assert [re.split(r" {2,}", line)[1:] for line in lines] == [["inc_2", "acting", "It fails"]]
    shown = (await run("incidents", "inc_1")).splitlines()
    assert shown[0] == "inc_1  resolved  It fails"
    assert shown[1].split() == ["0.90", "It", "fails"]
    assert shown[2].endswith("alert  <b>fires</b>")
    assert json.loads(await run("incidents", "inc_1", "--json"))["id"] == "inc_1"
    assert (await run("incidents", "report", "inc_1")).startswith("# It fails\n")
    await run("incidents", "report", code=1, said="no incident 'report'")
    await run("incidents", "show", "inc_1", code=2, said="expected nothing, ID, or report ID")


async def test_a_person_answers_what_the_watcher_asks(server: Server, run: Run) -> None:
    now = datetime.now(UTC)
    approval = replace(make_approval(), created_at=now, expires_at=now + timedelta(hours=1))
    await server.state.incidents.save(make_incident())
    await server.state.approvals.create(approval)
    assert (await run("approvals")).split()[:2] == ["apr_1", "scale_workers"]
    shown = dict(re.split(r" {2,}", line, maxsplit=1) for line in (await run("approvals", "show", "apr_1")).splitlines() if "  " in line)  # fmt: skip
    assert shown["why_asked"] == "rule ask-scale"
    await run("approvals", "reject", "apr_1", code=2, said="reason")
    await run("approvals", "reject", "apr_1", "--reason", "not now")
    decided = await server.state.approvals.get(approval.id)
    assert (decided.status.value, decided.decided_by, decided.reason) == ("rejected", "boss", "not now")
    await run("approvals", "approve", "apr_1", code=1, said="apr_1")


async def test_a_token_is_shown_once_works_and_ends_when_it_is_revoked(
    server: Server, run: Run, tmp_path: Path
) -> None:
    token = (await run("token", "create", "alice", "--role", "viewer")).strip()
    assert token not in await run("token", "--json")
    assert ["alice", "viewer"] in [line.split() for line in (await run("token")).splitlines()]
    as_alice: dict[str, Any] = server.settings | {"AWF_TOKEN": token}
    assert (await asyncio.to_thread(awf, tmp_path, "incidents", **as_alice)).returncode == 0
    denied = await asyncio.to_thread(awf, tmp_path, "pause", **as_alice)
    assert (denied.returncode, denied.stdout) == (1, "")
    assert await run("token", "revoke", "alice") == "The token of alice is revoked.\n"
    refused = await asyncio.to_thread(awf, tmp_path, "incidents", **as_alice)
    assert (refused.returncode, refused.stdout) == (1, "")


async def test_pause_and_resume_turn_the_kill_switch(server: Server, run: Run) -> None:
    assert "paused" in await run("pause")
    assert await server.state.switch.is_paused()
    assert "acts again" in await run("resume")
    assert not await server.state.switch.is_paused()


async def test_the_audit_log_is_shown_and_verified(server: Server, run: Run) -> None:
    await server.state.audit.append(actor="boss", event="watcher.paused", subject="watcher", detail={})
    assert "watcher.paused" in await run("audit")
    assert await run("audit", "verify") == "1 entries, the chain is whole.\n"


async def test_an_exported_audit_log_is_verified_without_the_server(
    server: Server, run: Run, tmp_path: Path
) -> None:
    for number in range(230):  # more than a page
        await server.state.audit.append(
            actor="böss", event="watcher.paused", subject=f"s{number}", detail={"n": [number, 0.1, None]}
        )
    file = tmp_path / "audit.jsonl"
    assert await run("audit", "export", str(file)) == "230 entries\n"
    assert await run("audit", "export") == file.read_text()
    await run("audit", "export", str(file), code=2, said="File exists")
    assert await run("audit", "verify", str(file)) == "230 entries, the chain is whole.\n"
    lines = file.read_text().splitlines(keepends=True)
    spoilt = {
        "audit entry 7 is missing": [*lines[:6], *lines[7:]],
        "audit entry 7 was changed": [*lines[:6], lines[6].replace('"s6"', '"s7"'), *lines[7:]],
        "audit entry 8 is missing": [*lines[:7], lines[8], lines[7], *lines[9:]],
        "line 2 is no audit entry": [lines[0], "{}\n"],
    }
    for said, wrong in spoilt.items():
        file.write_text("".join(wrong))
        await run("audit", "verify", str(file), code=2 if "line" in said else 1, said=said)


async def test_executions_are_listed_and_shown(server: Server, run: Run) -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    record = ExecutionRecord(
        ExecutionId("x1"), WorkflowId("report"), ExecutionStatus.RUNNING, EngineId("e1"), {"topic": "rain"},
        created_at=at, started_at=at,
    )  # fmt: skip
    await server.state.executions.save(record)
    assert (await run("executions")).split()[:3] == ["x1", "report", "running"]
    assert "{'topic': 'rain'}" in await run("executions", "x1")


async def test_without_an_engine_nothing_is_started_and_the_hint_says_how_to_get_one(run: Run) -> None:
    assert await run("executions", "--start", "report", code=7, said="awf demo") == ""


async def test_the_token_of_the_server_on_this_machine_is_found(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "admin-token").write_text(f"{server.token}\n")
    settings = {name: value for name, value in server.settings.items() if name != "AWF_TOKEN"}
    done = await asyncio.to_thread(awf, tmp_path, "incidents", **settings)
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_terminal_gets_no_commands_from_what_others_wrote(server: Server, run: Run) -> None:
    nasty = "\x1b]0;title\x07 \x1b[31mred \u202eright\r\nleft"
    await server.state.approvals.create(
        replace(
            make_approval(), summary=nasty, why_asked=nasty, expires_at=datetime.now(UTC) + timedelta(hours=1)
        )
    )
    await server.state.audit.append(actor=nasty, event=nasty, subject=nasty, detail={})
    await server.state.incidents.save(
        make_incident(
            hypotheses=(),
            cause=None,
            alerts=(replace(make_incident().alerts[0], annotations={"summary": nasty}),),
        )
    )
    for command in (("approvals",), ("approvals", "show", "apr_1"), ("audit",), ("incidents",)):
        shown = await run(*command)
        assert "red" in shown
        assert all(char.isprintable() or char == "\n" for char in shown), command
