"""Signed links: one question, one person, once; opening one decides nothing."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from awf.core.decision_links import DecisionLinks
from awf.core.incidents import ApprovalStatus
from awf.core.types import ApprovalId
from awf.errors import ConfigError
from tests.unit.api._parts import BASE, Api, make_approval

LINKS = DecisionLinks("the admin's token", BASE)
ONE = ApprovalId("apr_1")


async def opened(api: Api, name: str = "a-approver", **approval: object) -> tuple[httpx.AsyncClient, str]:
    """Return a stranger's client, and a link by which `name` decides the question."""
    await api.state.approvals.create(make_approval(**approval))  # type: ignore[arg-type]
    return api.client(links=LINKS), LINKS.url(ONE, name)


async def answer(client: httpx.AsyncClient, link: str, **form: str) -> httpx.Response:
    parts = urlsplit(link)
    fields = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return await client.post(parts.path, data={**fields, "answer": "approve", **form})


async def status(api: Api) -> ApprovalStatus:
    return (await api.state.approvals.get(ONE)).status


async def test_opening_a_link_shows_the_question_and_decides_nothing(api: Api) -> None:
    client, link = await opened(api)
    for _ in range(3):  # mail programs open links before people do
        page = await client.get(link)
        assert page.status_code == 200
        for text in ("Double the workers", "You decide as", "a-approver", "Approve scale_workers"):
            assert text in page.text
    assert (await client.head(link)).status_code == 405
    assert await status(api) is ApprovalStatus.PENDING


async def test_the_form_decides_once_under_the_persons_name(api: Api) -> None:
    client, link = await opened(api)
    done = await answer(client, link)
    assert (done.status_code, "It was approved by a-approver" in done.text) == (200, True)
    assert (await api.state.approvals.get(ONE)).decided_by == "a-approver"
    assert (await answer(client, link)).status_code == 409
    assert "It was approved by a-approver" in (await client.get(link)).text
    (entry,) = (await api.state.audit.list()).items
    assert (entry.event, entry.actor, entry.detail["way"]) == (
        "approval.answered", "a-approver", "signed link",
    )  # fmt: skip


async def test_a_rejection_says_why(api: Api) -> None:
    client, link = await opened(api)
    assert (await answer(client, link, answer="reject")).status_code == 422
    assert (await answer(client, link, answer="reject", reason="too dear")).status_code == 200
    found = await api.state.approvals.get(ONE)
    assert (found.status, found.reason) == (ApprovalStatus.REJECTED, "too dear")


async def test_a_link_that_was_changed_opens_nothing(api: Api) -> None:
    client, link = await opened(api)
    other = DecisionLinks("another token", BASE)
    changed = [
        link.replace("person=a-approver", "person=a-admin"),
        link.replace("apr_1", "apr_2"),
        link[:-1] + ("0" if link[-1] != "0" else "1"),
        link.replace("key=", "key=%00"),
        link.partition("&key")[0],
        link.partition("?")[0],
        other.url(ONE, "a-approver"),
        LINKS.url(ApprovalId("apr_2"), "a-approver").replace("apr_2", "apr_1"),
    ]
    for each in changed:
        assert (await client.get(each)).status_code == 403, each
        assert (await answer(client, each)).status_code == 403, each
    assert await status(api) is ApprovalStatus.PENDING


@pytest.mark.parametrize("name", ["a-viewer", "a-operator", "a-worker"])
async def test_a_link_gives_no_right_that_the_person_lacks(api: Api, name: str) -> None:
    client, link = await opened(api, name)
    page = await client.get(link)
    assert (page.status_code, "cannot decide this" in page.text, "<form" in page.text) == (200, True, False)
    assert (await answer(client, link)).status_code == 403
    assert await status(api) is ApprovalStatus.PENDING


async def test_it_ends_with_the_persons_token_and_with_the_question(api: Api) -> None:
    client, link = await opened(api)
    api.clock.moment += timedelta(hours=2)
    assert "expired" in (await client.get(link)).text
    assert (await answer(client, link)).status_code == 410
    api.clock.moment -= timedelta(hours=2)
    await api.state.tokens.revoke("a-approver")
    assert (await client.get(link)).status_code == 403
    assert (await answer(client, link)).status_code == 403


async def test_a_question_for_admins_is_not_opened_by_an_approvers_link(api: Api) -> None:
    client, link = await opened(api, required_role="admin")
    assert (await answer(client, link)).status_code == 403
    assert (await answer(client, LINKS.url(ONE, "a-admin"))).status_code == 200


async def test_a_page_of_another_site_cannot_send_the_form(api: Api) -> None:
    client, link = await opened(api)
    client.headers["Sec-Fetch-Site"] = "cross-site"
    assert (await answer(client, link)).status_code == 403
    assert await status(api) is ApprovalStatus.PENDING


async def test_without_links_there_is_no_such_page(api: Api) -> None:
    _, link = await opened(api)
    assert (await api.client().get(link)).status_code == 404


def test_links_need_a_secret() -> None:
    with pytest.raises(ConfigError):
        DecisionLinks("", BASE)
