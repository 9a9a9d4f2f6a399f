"""The collector takes an empty request of each signal at the configured address: port, protocol, TLS, credentials."""

from __future__ import annotations

import asyncio

from awf.orchestration.telemetry import senders
from awf.orchestration.telemetry.endpoints import Endpoint, endpoints_from
from awf.orchestration.telemetry.senders import Undelivered, sender_for
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok
from awf.wiring.doctor.network import meaning
from awf.wiring.engine import default_endpoint

WHAT = "OTLP endpoint"
TIMEOUT_S = 5.0
_HINTS = {
    senders.CREDENTIALS: "Set OTEL_EXPORTER_OTLP_HEADERS to what the collector expects, such as authorization=Bearer ...",
    senders.WRONG_ENDPOINT: "It answers, but does not know this path or service: is it a collector, and the right port?",
    senders.THROTTLED: "The collector is at its limit: see its memory limiter and queues.",
    senders.SERVER_ERROR: "The collector fails inside: see its log.",
}


async def _run(case: Case) -> list[Finding]:
    given = endpoints_from(case.environ, endpoint=default_endpoint(case.settings))
    endpoints = {signal: each for signal, each in given.items() if each.is_wanted}
    answers = await asyncio.gather(*(asyncio.to_thread(_try, each) for each in endpoints.values()))
    found: dict[str, list[str]] = {}
    items, hints = [], []
    for endpoint, (complaint, hint) in zip(endpoints.values(), answers, strict=True):
        items.append(f"{endpoint.signal}: {endpoint.protocol} to {endpoint.url}: {complaint or 'answers'}")
        if not complaint:
            case.reachable.add(endpoint.signal)
        else:
            found.setdefault(
                f"{endpoint.url.split('/v1/')[0]} ({endpoint.protocol}): {complaint}", []
            ).append(endpoint.signal)
            hints.append(hint)
    if not found:
        where = sorted({f"{each.url.split('/v1/')[0]} ({each.protocol})" for each in endpoints.values()})
        return [ok(WHAT, f"{', '.join(where)} takes {', '.join(endpoints)}", items=items)]
    detail = "; ".join(f"{text} [{', '.join(signals)}]" for text, signals in found.items())
    return [fail(WHAT, detail, hint=" ".join(dict.fromkeys(hints)), items=items)]


def _try(endpoint: Endpoint) -> tuple[str, str]:
    """Return what is wrong and what to do; nothing when the request was taken."""
    sender = sender_for(endpoint)
    try:
        sender.send(b"", TIMEOUT_S)
    except Undelivered as error:
        if (
            error.reason == senders.REJECTED
        ):  # an empty request is not worth taking, but it came to the right place
            return "", ""
        if error.reason in _HINTS:
            return f"{error.reason.replace('_', ' ')}: {error.detail}", _HINTS[error.reason]
        return meaning(error.detail)
    finally:
        sender.close()
    return "", ""


SPEC = Check("otlp_answers", "telemetry", WHAT, _run, needs=("otlp_settings",))
