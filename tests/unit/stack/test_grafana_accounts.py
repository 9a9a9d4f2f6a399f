"""The one-shot that makes Grafana's service accounts, against what Grafana's API documents (see `_grafana.py`)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from awf.errors import AwfError, ConfigError, DataDirError, Forbidden, Unauthorized, Unavailable
from awf.stack.grafana_accounts import TOKEN_NAME, Account, GrafanaAccounts, accounts
from awf.testing import FakeClock
from tests.unit.stack._grafana import PASSWORD, FakeGrafana, app_of

BASE = "http://grafana.test"


class Bootstrap:
    """Runs the one-shot against one Grafana and keeps what it said."""

    def __init__(self, grafana: FakeGrafana, folder: Path) -> None:
        self.grafana = grafana
        self.app: FastAPI = app_of(grafana)
        self.wanted: tuple[Account, Account] = accounts(folder / "read", folder / "annotate")
        self.said: list[str] = []

    async def run(self, password: str = PASSWORD, *, wait_s: float = 5.0) -> None:
        self.said.clear()
        await GrafanaAccounts(
            BASE, "admin", password, tell=self.said.append, clock=FakeClock(),
            transport=httpx.ASGITransport(self.app),
        ).ensure(self.wanted, wait_s=wait_s)  # fmt: skip

    def tokens(self) -> list[str]:
        return [account.token_file.read_text().strip() for account in self.wanted]


@pytest.fixture
def bootstrap(tmp_path: Path) -> Bootstrap:
    return Bootstrap(FakeGrafana(), tmp_path)


async def test_two_accounts_are_made_with_the_least_role_each_and_a_token_that_works(
    bootstrap: Bootstrap,
) -> None:
    await bootstrap.run()
    roles = {each["name"]: each["role"] for each in bootstrap.grafana.accounts.values()}
    assert roles == {"awf-mcp-read": "Viewer", "awf-mcp-annotate": "Editor"}
    assert set(bootstrap.tokens()) == bootstrap.grafana.live_keys()
    assert len(set(bootstrap.tokens())) == 2


async def test_a_token_is_readable_for_its_owner_only(bootstrap: Bootstrap) -> None:
    before = os.umask(0)
    try:
        await bootstrap.run()
    finally:
        os.umask(before)
    assert {stat.S_IMODE(each.token_file.stat().st_mode) for each in bootstrap.wanted} == {0o600}


async def test_a_second_start_keeps_accounts_and_tokens_and_writes_nothing(bootstrap: Bootstrap) -> None:
    await bootstrap.run()
    before = bootstrap.tokens()
    bootstrap.grafana.calls.clear()
    await bootstrap.run()
    assert bootstrap.tokens() == before
    assert {call.split()[0] for call in bootstrap.grafana.calls} == {"GET"}
    assert bootstrap.said == ["kept the token of awf-mcp-read", "kept the token of awf-mcp-annotate"]


async def test_a_token_that_was_revoked_is_replaced(bootstrap: Bootstrap) -> None:
    await bootstrap.run()
    old = bootstrap.tokens()
    bootstrap.grafana.tokens[1].clear()
    await bootstrap.run()
    assert bootstrap.tokens()[0] != old[0]
    assert bootstrap.tokens()[1] == old[1]
    assert set(bootstrap.tokens()) == bootstrap.grafana.live_keys()


@pytest.mark.parametrize("left", ["", "not a token", "bytes \xff"])
async def test_a_lost_file_leads_to_a_new_token_and_the_old_one_goes(bootstrap: Bootstrap, left: str) -> None:
    await bootstrap.run()
    bootstrap.wanted[0].token_file.write_text(left, encoding="latin-1")
    await bootstrap.run()
    assert set(bootstrap.tokens()) == bootstrap.grafana.live_keys()


async def test_tokens_and_accounts_of_others_are_left_alone(bootstrap: Bootstrap) -> None:
    other = bootstrap.grafana.add_account("awf-mcp-read-by-hand", "Admin")
    await bootstrap.run()
    own = next(each for each in bootstrap.grafana.accounts.values() if each["name"] == "awf-mcp-read")
    kept = bootstrap.grafana.add_token(own["id"], "made by a person")
    bootstrap.wanted[0].token_file.unlink()
    await bootstrap.run()
    assert other["role"] == "Admin"
    assert kept["key"] in bootstrap.grafana.live_keys()
    assert sorted(each["name"] for each in bootstrap.grafana.tokens[own["id"]].values()) == [
        TOKEN_NAME,
        "made by a person",
    ]


async def test_an_account_that_was_given_more_rights_gets_its_role_back(bootstrap: Bootstrap) -> None:
    await bootstrap.run()
    bootstrap.grafana.accounts[1]["role"] = "Admin"
    await bootstrap.run()
    assert bootstrap.grafana.accounts[1]["role"] == "Viewer"


async def test_it_waits_until_grafana_has_started(bootstrap: Bootstrap) -> None:
    bootstrap.grafana.starting = 4
    await bootstrap.run()
    assert len(bootstrap.tokens()) == 2


async def test_a_grafana_that_never_starts_is_named_with_where_its_log_is(bootstrap: Bootstrap) -> None:
    bootstrap.grafana.starting = 1000
    with pytest.raises(Unavailable, match=r"grafana.test is not ready after 5 s: it answers 503") as error:
        await bootstrap.run()
    assert "docker compose logs grafana" in error.value.hint


async def test_a_wrong_password_is_tried_once_and_the_sentence_says_what_to_do(bootstrap: Bootstrap) -> None:
    with pytest.raises(Unauthorized, match="refuses the password of admin") as error:
        await bootstrap.run("a wrong one")
    assert "secrets/grafana-admin-password" in error.value.hint
    assert "a wrong one" not in error.value.message + error.value.hint
    assert len(bootstrap.grafana.calls) == 1


@pytest.mark.parametrize(
    ("status", "kind", "what"),
    [
        (403, Forbidden, "may not /api/service"),
        (404, ConfigError, "not as Grafana does"),
        (500, Unavailable, "500"),
    ],
)
async def test_other_refusals_say_what_was_asked(
    tmp_path: Path, status: int, kind: type[AwfError], what: str
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if request.url.path == "/api/health" else status, text="because")

    grafana = GrafanaAccounts(
        BASE, "admin", PASSWORD, tell=print, clock=FakeClock(), transport=httpx.MockTransport(answer)
    )
    with pytest.raises(kind, match=what) as error:
        await grafana.ensure(accounts(tmp_path / "a", tmp_path / "b"))
    assert "because" in error.value.message


async def test_something_else_at_the_address_is_not_taken_for_grafana(tmp_path: Path) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>welcome"))
    grafana = GrafanaAccounts(BASE, "admin", PASSWORD, tell=print, clock=FakeClock(), transport=transport)
    with pytest.raises(ConfigError, match="not as Grafana does") as error:
        await grafana.ensure(accounts(tmp_path / "a", tmp_path / "b"))
    assert "AWF_GRAFANA_URL" in error.value.hint


async def test_a_volume_that_cannot_be_written_is_named(bootstrap: Bootstrap, tmp_path: Path) -> None:
    bootstrap.wanted = accounts(tmp_path / "nowhere/read", tmp_path / "annotate")
    with pytest.raises(DataDirError, match="nowhere/read cannot be used"):
        await bootstrap.run()
