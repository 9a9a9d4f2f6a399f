"""The second net: what Alloy masks of what other programs send, and what it leaves as it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList

from tests.stack.native._alloy import Passage, passage
from tests.stack.native._otlp import attributes, gauge, log, post, span
from tests.stack.native._programs import require, wait_for

# Put together here, so that no scanner of repositories takes them for real ones.
SECRETS = {
    "mail to bob.smith@example.co.uk now": "mail to [email] now",
    "bob%40example.com": "[email]",
    "card 4111 1111 1111 1111.": "card [card].",
    "card 5500-0000-0000-0004": "card [card]",
    "amex 378282246310005": "amex [card]",
    "Authorization: Bearer abcdef.123456": "Authorization: [bearer]",
    "key " + "sk-" + "abcdefghijklmnop1234": "key [api_key]",
    "token " + "ghp_" + "a1b2" * 9: "token [api_key]",
    "jwt " + "eyJhbGciOiJI" + ".eyJzdWIiOiIx" + ".c2lnbmF0dXJl": "jwt [api_key]",
    'login with password="hunter2" failed': 'login with password="[secret]" failed',
    "https://api.test/?api_key=abc123&page=2": "https://api.test/?api_key=[secret]&page=2",
}
HARMLESS = (
    "step draft of workflow report took 1790000000000 ms",
    "execution 4d5a1c7e-9b1f-4c3e-8a6d-0f1e2d3c4b5a",
    "trace 1d4a9263b5d4ace749761eb96dd76260",
    "input_tokens=1234, output_tokens=99",
    "the token was expired and the password policy is strict",
    "version 1.2.3@sha256",
)


@pytest.fixture(scope="module")
def alloy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Passage]:
    require("alloy")
    with passage(tmp_path_factory.mktemp("redaction")) as found:
        yield found


def _through(alloy: Passage, signal: str, request: Any) -> Any:
    """Send one request and return the record that came out."""
    kept = alloy.collector.logs if signal == "logs" else alloy.collector.spans
    before = len(kept)
    with httpx.Client(timeout=10) as http:
        assert post(http, alloy.stack.url("alloy_otlp_http"), signal, request)
    wait_for("what was sent", lambda: len(kept) > before, 20)
    return kept[-1]


def _values(record: Any) -> dict[str, str]:
    return {entry.key: entry.value.string_value for entry in record.attributes}


def test_secrets_in_bodies_and_values_of_logs_are_masked(alloy: Passage) -> None:
    for number, (secret, masked) in enumerate(SECRETS.items()):
        record = _through(alloy, "logs", log("redaction", number, time.time_ns(), body=secret, said=secret))
        assert record.body.string_value == masked
        assert _values(record)["said"] == masked


def test_secrets_in_names_values_messages_and_exceptions_of_spans_are_masked(alloy: Passage) -> None:
    secret, masked = "mail to bob@example.com", "mail to [email]"
    request = span("redaction", 1, time.time_ns(), name=secret, said=secret)
    (sent,) = request.resource_spans[0].scope_spans[0].spans
    sent.status.message = secret
    sent.events.add(name="exception", attributes=attributes(exception__message=secret))
    request.resource_spans[0].resource.attributes.extend(attributes(owner=secret))
    record = _through(alloy, "traces", request)
    assert (record.name, record.status.message, _values(record)["said"]) == (masked, masked, masked)
    assert _values(record.events[0])["exception.message"] == masked
    assert alloy.collector.resources[-1]["owner"] == masked


def test_bodies_that_are_maps_are_masked_by_value(alloy: Passage) -> None:
    request = log("redaction", 1, time.time_ns())
    entry = KeyValue(key="said", value=AnyValue(string_value="bob@example.com"))
    body = AnyValue(kvlist_value=KeyValueList(values=[entry]))
    request.resource_logs[0].scope_logs[0].log_records[0].body.CopyFrom(body)
    record = _through(alloy, "logs", request)
    assert record.body.kvlist_value.values[0].value.string_value == "[email]"


@pytest.mark.parametrize("signal", ["logs", "traces"])
def test_attributes_with_secret_names_are_gone_and_counts_of_tokens_stay(alloy: Passage, signal: str) -> None:
    more = {
        "password": "hunter2", "db__password": "hunter2", "client_secret": "x", "http__authorization": "x",
        "apiKey": "x", "gen_ai__usage__input_tokens": "12", "token_type": "input", "session_id": "s-1",
    }  # fmt: skip
    build = log if signal == "logs" else span
    found = _values(_through(alloy, signal, build("redaction", 2, time.time_ns(), **more)))
    assert set(found) - {"level", "number"} == {"gen_ai.usage.input_tokens", "token_type", "session_id"}


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_secret_stays(alloy: Passage, text: str) -> None:
    record = _through(alloy, "logs", log("redaction", 3, time.time_ns(), body=text, said=text))
    assert (record.body.string_value, _values(record)["said"]) == (text, text)


def test_metrics_pass_as_they_are(alloy: Passage) -> None:
    with httpx.Client(timeout=10) as http:
        request = gauge("redaction", 7, time.time_ns())
        assert post(http, alloy.stack.url("alloy_otlp_http"), "metrics", request)
    wait_for("the sample", lambda: alloy.collector.metric_requests, 20)
