"""Presses that Slack did not sign, or not now, or not once: none of them decides anything."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from awf.core.incidents import ApprovalStatus
from awf.notify._slack_buttons import SlackButtons
from tests.security._service import (
    SECRET,
    SLACK_PATH,
    SLACK_SECRET,
    asks,
    press,
    press_of,
    replica_of,
    service_of,
    signed_as_slack,
)
from tests.unit.agents._system import System

PEOPLE = {"U1": "ana", "U2": "bo"}


async def test_a_forged_or_stale_press_is_refused_and_decides_nothing(system: System) -> None:
    system.start(policy=asks())
    async with service_of(system, buttons=SlackButtons({SLACK_SECRET: PEOPLE})) as service:
        _, approval = await service.question()
        admin = await service.person("ana", "admin")
        body = press_of(approval.id)
        good = signed_as_slack(service, body)
        forged: dict[str, dict[str, str]] = {
            "unsigned": {},
            "signed with another secret": signed_as_slack(service, body, secret="guess"),
            "signed with the webhook's secret": signed_as_slack(service, body, secret=SECRET),
            "signed over another body": signed_as_slack(service, press_of("apr_other")),
            "signed six minutes ago": signed_as_slack(service, body, age_s=360),
            "signed six minutes from now": signed_as_slack(service, body, age_s=-360),
            "with its time left out": {"X-Slack-Signature": good["X-Slack-Signature"]},
            "with another time than was signed": {
                **good, "X-Slack-Request-Timestamp": str(int(good["X-Slack-Request-Timestamp"]) + 1),
            },
            "with an admin's token": {"Authorization": f"Bearer {admin}"},
            "with the webhook's secret as a bearer": {"Authorization": f"Bearer {SECRET}"},
        }  # fmt: skip
        for what, headers in forged.items():
            assert (await press(service, approval.id, headers, body=body)).status_code == 401, what
        assert (await system.state.approvals.get(approval.id)).status is ApprovalStatus.PENDING
    assert system.kinds == []


@pytest.mark.parametrize("name", ["U2", "U9", "bo", ""])
async def test_a_signed_press_of_who_has_no_right_decides_nothing(system: System, name: str) -> None:
    """Of a viewer, of someone unknown, of one who gives the name of a token for the id of a user."""
    system.start(policy=asks())
    async with service_of(system, buttons=SlackButtons({SLACK_SECRET: PEOPLE})) as service:
        _, approval = await service.question()
        await service.person("bo", "viewer")
        assert (await press(service, approval.id, body=press_of(approval.id, name))).status_code == 200
        assert (await system.state.approvals.get(approval.id)).status is ApprovalStatus.PENDING
    assert system.kinds == []


async def test_a_press_counts_once_however_often_it_is_sent(system: System) -> None:
    system.start(policy=asks(approvals=2))
    async with service_of(system, buttons=SlackButtons({SLACK_SECRET: PEOPLE})) as service:
        _, approval = await service.question()
        await service.person("ana")
        body = press_of(approval.id)
        headers = signed_as_slack(service, body)
        answers = [await press(service, approval.id, headers, body=body) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 401, 401]
        assert (await system.state.approvals.get(approval.id)).approved_by == ("ana",)
    assert system.kinds == []


async def test_a_press_that_one_replica_took_is_refused_by_another(system: System, url: str) -> None:
    system.start(policy=asks(approvals=2))
    slack = SlackButtons({SLACK_SECRET: PEOPLE})
    async with (
        replica_of(system, url, policy=asks(approvals=2)) as other,
        service_of(system, buttons=slack) as service,
        service_of(other, buttons=SlackButtons({SLACK_SECRET: PEOPLE})) as second,
    ):
        _, approval = await service.question()
        await service.person("ana")
        body = press_of(approval.id)
        headers = signed_as_slack(service, body)
        answers = await asyncio.gather(
            *(
                (service, second)[number % 2].http.post(SLACK_PATH, content=body, headers=headers)
                for number in range(6)
            )
        )
        assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 5}
        assert (await system.state.approvals.get(approval.id)).approved_by == ("ana",)
    assert system.kinds == []
