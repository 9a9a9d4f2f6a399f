"""The API, asked what its own OpenAPI description makes up: it answers everything, and nothing with a 5xx.

`AWF_TEST_FUZZ=long` asks 500 times for each operation, at random; a failure prints what to ask again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from awf.core.types import EngineId
from awf.state import State
from tests.security._service import SECRET
from tests.security._threaded import Threaded, service_in_thread
from tests.unit.api._parts import make_approval, make_engine, make_event, make_incident

IS_LONG = os.environ.get("AWF_TEST_FUZZ") == "long"
EXAMPLES = 500 if IS_LONG else 10
KNOWN = {
    "incident_id": "inc_1", "approval_id": "apr_1", "execution_id": "x1", "engine_id": "e1", "workflow_id": "report",
    "name": "a-viewer", "change_id": "chg_1",
}  # fmt: skip


async def fill(state: State, _: datetime) -> None:
    await state.incidents.save(make_incident())
    await state.approvals.create(make_approval())
    await state.controls.register(make_engine())
    await state.executions.append_events(EngineId("e1"), [make_event("workflow.failed", "x1", "v1")])


@pytest.fixture(scope="module")
def served() -> Iterator[Threaded]:
    with service_in_thread(fill) as found:
        yield found


@pytest.fixture(scope="module")
def operations(served: Threaded) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {served.tokens['admin']}"}
    description = requests.get(f"{served.url}/openapi.json", headers=headers, timeout=20).json()
    schema = schemathesis.openapi.from_dict(description)
    found = [result.ok() for result in schema.get_all_operations()]
    return {f"{each.method.upper()} {each.path}": each for each in found}


def answers_of(served: Threaded, operation: Any, mode: GenerationMode, token: str) -> set[int]:
    """Ask an operation for made-up things and return the statuses that it answered; a 5xx fails with its request."""
    seen: set[int] = set()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    session = requests.Session()
    session.trust_env = False

    @settings(
        max_examples=EXAMPLES, derandomize=not IS_LONG, database=None, deadline=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
    def ask(case: Any, is_known: bool) -> None:
        if is_known:  # what exists is looked at more closely than what does not
            known = {name: KNOWN[name] for name in case.path_parameters or {} if name in KNOWN}
            case.path_parameters = {**(case.path_parameters or {}), **known}
        request = case.as_transport_kwargs(base_url=served.url)
        request["headers"] = {**(request.get("headers") or {}), **headers}
        with session.request(**request, timeout=30, stream=True, allow_redirects=False) as answer:
            seen.add(answer.status_code)
            assert answer.status_code < 500, (answer.status_code, answer.text[:500], request)

    ask()
    session.close()
    return seen


def test_there_is_something_to_ask(operations: dict[str, Any]) -> None:
    assert len(operations) >= 25
    assert {"POST /webhooks/grafana-alerts", "POST /approvals/{approval_id}/approve", "GET /audit"} <= set(
        operations
    )


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"]
)
def test_an_admin_gets_no_5xx(served: Threaded, operations: dict[str, Any], mode: GenerationMode) -> None:
    seen: set[int] = set()
    for name, operation in operations.items():
        token = SECRET if "grafana-alerts" in name else served.tokens["admin"]
        seen |= answers_of(served, operation, mode, token)
    assert 422 in seen
    if mode is GenerationMode.POSITIVE:
        assert {200, 404} <= seen


def test_a_stranger_gets_nothing_but_refusals(served: Threaded, operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        seen = answers_of(served, operation, GenerationMode.POSITIVE, "")
        is_open = name in ("GET /healthz", "GET /readyz")
        assert is_open or seen <= {400, 401, 403, 404, 405, 413, 422}, (name, seen)
        assert is_open or name.startswith("POST /webhooks/") or seen == {401}, (name, seen)
