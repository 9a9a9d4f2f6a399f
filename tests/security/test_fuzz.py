"""The API, asked what its own OpenAPI description makes up: it answers everything, and nothing with a 5xx.

`AWF_TEST_FUZZ=long` asks 500 times for each operation, at random; a failure prints what to ask again.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from awf.core.types import EngineId
from awf.notify._slack_buttons import SlackButtons, sign
from awf.state import State
from awf.testing import FakeDashboards
from tests.security._service import SECRET, SLACK_SECRET
from tests.security._threaded import Threaded, service_in_thread
from tests.unit.api._parts import make_approval, make_engine, make_event, make_incident

ROOT = Path(__file__).parents[2]
IS_LONG = os.environ.get("AWF_TEST_FUZZ") == "long"
EXAMPLES = 500 if IS_LONG else 6
KNOWN = {
    "incident_id": "inc_1", "approval_id": "apr_1", "execution_id": "x1", "engine_id": "e1", "workflow_id": "report",
    "name": "a-viewer", "change_id": "chg_1",
    "uid": "b", "panel_id": 1,
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


async def fill(state: State, _: datetime) -> None:
    await state.incidents.save(make_incident())
    await state.approvals.create(make_approval())
    await state.controls.register(make_engine())
    await state.executions.append_events(EngineId("e1"), [make_event("workflow.failed", "x1", "v1")])


class Tracebacks(logging.Handler):
    """Keeps what is logged with a traceback, by AWF or by the server below it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(self.format(record))


@pytest.fixture(scope="module")
def served() -> Iterator[Threaded]:
    tracebacks = Tracebacks()
    loggers = [logging.getLogger(name) for name in ("", "uvicorn", "uvicorn.error")]
    board = json.loads((ROOT / "dashboards" / "awf-overview.json").read_text())
    more = {
        "dashboards": FakeDashboards({"b": board}),
        "buttons": SlackButtons({SLACK_SECRET: {"U1": "ana"}}),
    }
    with service_in_thread(fill, **more) as found:
        for logger in loggers:
            logger.addHandler(tracebacks)
        yield found
        for logger in loggers:
            logger.removeHandler(tracebacks)
    assert tracebacks.found == []


@pytest.fixture(scope="module")
def operations(served: Threaded) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {served.tokens['admin']}"}
    description = requests.get(f"{served.url}/openapi.json", headers=headers, timeout=20).json()
    schema = schemathesis.openapi.from_dict(description)
    found = [result.ok() for result in schema.get_all_operations()]
    return {f"{each.method.upper()} {each.path}": each for each in found}


def _bounded(examples: int) -> settings:
    return settings(
        max_examples=examples, derandomize=not IS_LONG, database=None, deadline=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip


def prove(request: requests.PreparedRequest, served: Threaded) -> None:
    """Let a request come from who may make it: Slack signs, Grafana has the webhook's secret, and all else is an admin's."""
    token = SECRET if request.path_url.startswith("/webhooks/grafana-alerts") else served.tokens["admin"]
    request.headers["Authorization"] = f"Bearer {token}"
    if request.path_url.startswith("/webhooks/slack"):
        body = request.body or b""
        moment = str(int(time.time()))
        request.headers["X-Slack-Request-Timestamp"] = moment
        request.headers["X-Slack-Signature"] = sign(
            SLACK_SECRET, body.encode() if isinstance(body, str) else body, moment
        )


def answers_of(
    served: Threaded,
    operation: Any,
    mode: GenerationMode,
    *,
    examples: int = EXAMPLES,
    is_stranger: bool = False,
) -> set[int]:
    """Ask an operation for made-up things and return the statuses that it answered; a 5xx fails with its request."""
    seen: set[int] = set()
    session = requests.Session()
    session.trust_env = False

    @_bounded(examples)
    @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
    def ask(case: Any, is_known: bool) -> None:
        if is_known:  # what exists is looked at more closely than what does not
            known = {name: KNOWN[name] for name in case.path_parameters or {} if name in KNOWN}
            case.path_parameters = {**(case.path_parameters or {}), **known}
        request = session.prepare_request(requests.Request(**case.as_transport_kwargs(base_url=served.url)))
        if not is_stranger:
            prove(request, served)
        with session.send(request, timeout=30, stream=True, allow_redirects=False) as answer:
            seen.add(answer.status_code)
            about = (request.method, request.url, dict(request.headers), request.body)
            assert answer.status_code < 500, (answer.status_code, answer.text[:500], about)

    with suppress(Unsatisfiable):  # nothing that it is asked with could be unfitting
        ask()
    session.close()
    return seen


def test_there_is_something_to_ask(operations: dict[str, Any]) -> None:
    assert len(operations) >= 25
    assert {"POST /webhooks/grafana-alerts", "POST /approvals/{approval_id}/approve", "GET /audit"} <= set(
        operations
    )


def test_what_fits_the_description_gets_no_5xx(served: Threaded, operations: dict[str, Any]) -> None:
    seen = {name: answers_of(served, each, GenerationMode.POSITIVE) for name, each in operations.items()}
    assert all(seen.values())
    assert {200, 202, 404, 422} <= set.union(*seen.values())


def test_what_does_not_fit_it_gets_no_5xx(served: Threaded, operations: dict[str, Any]) -> None:
    """A path alone always fits: any text is one."""
    varied = {name: each for name, each in operations.items() if [*each.query, *each.body]}
    seen = {name: answers_of(served, each, GenerationMode.NEGATIVE) for name, each in varied.items()}
    assert len([name for name, statuses in seen.items() if 422 in statuses]) >= 8


def test_a_body_of_any_json_or_of_none_gets_no_5xx(served: Threaded, operations: dict[str, Any]) -> None:
    """Of what is posted at all: those for engines take bodies that the description leaves open."""
    taking = [each for each in operations.values() if each.method.upper() in ("POST", "PUT")]
    assert len(taking) >= 15
    with requests.Session() as session:
        session.trust_env = False

        @_bounded(EXAMPLES * 25)
        @given(
            st.sampled_from(taking),
            st.one_of(JSON.map(lambda found: json.dumps(found).encode()), st.binary()),
        )
        def ask(operation: Any, body: bytes) -> None:
            path = operation.path.format_map(KNOWN)
            request = requests.Request(operation.method.upper(), served.url + path, data=body)
            kinds = [each.media_type for each in operation.body]
            request.headers["Content-Type"] = kinds[0] if kinds else "application/json"
            prepared = session.prepare_request(request)
            prove(prepared, served)
            with session.send(prepared, timeout=30, stream=True, allow_redirects=False) as answer:
                assert answer.status_code < 500, (answer.text[:500], path, body)

        ask()


def test_a_stranger_gets_nothing_but_refusals(served: Threaded, operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        seen = answers_of(served, operation, GenerationMode.POSITIVE, examples=3, is_stranger=True)
        is_open = name in ("GET /healthz", "GET /readyz")
        assert is_open or seen <= {400, 401, 403, 404, 405, 413, 422}, (name, seen)
        assert is_open or name.startswith("POST /webhooks/") or seen == {401}, (name, seen)
