"""An incident as a postmortem in Markdown: what happened, why, what was done, and room for what people learn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime

from awf.api.shapes import incident_title
from awf.api.ui.words import (
    CAUSE_WORDS,
    STATUS_WORDS,
    asked_words,
    chosen_words,
    done_words,
    duration,
    number,
    web_link,
)
from awf.core.codec import to_json
from awf.core.escape import plain_text
from awf.core.incidents import Evidence, Hypothesis, Incident

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def render_report(incident: Incident, link: str) -> str:
    """Return the report. Texts of alerts and telemetry are escaped: none of them becomes markup."""
    return "\n".join(_lines(incident, link)) + "\n"


def _lines(incident: Incident, link: str) -> Iterator[str]:
    yield f"# {_text(incident_title(incident))}"
    yield ""
    yield from _summary(incident, link)
    yield from _section("Timeline (UTC)")
    for entry in incident.timeline:
        yield f"- {_time(entry.at)} **{_text(entry.kind)}** {_text(entry.text)}"
    yield from _section("Why")
    if not incident.hypotheses:
        yield "No cause was found."
    for place, hypothesis in enumerate(incident.hypotheses, 1):
        yield from _hypothesis(place, hypothesis)
    yield from _section("Alerts")
    for alert in incident.alerts:
        labels = ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
        yield f"- {_text(alert.name)}, {alert.status} since {_time(alert.starts_at)}: {_text(labels)}"
    for heading, ask in (
        ("Impact", "Who noticed, and what could they not do?"),
        ("What we learn", "What went well, what did not, where were we lucky?"),
        ("Follow-ups", "- [ ] what, by whom, until when"),
    ):
        yield from _section(heading)
        yield ask


def _summary(incident: Incident, link: str) -> Iterator[str]:
    facts = {
        "Incident": f"[{_text(incident.id)}]({link})" if web_link(link) else _text(incident.id),
        "Status": STATUS_WORDS[incident.status],
        "Severity": _text(incident.severity),
        "Opened": _time(incident.opened_at),
        "Closed": _time(incident.resolved_at) if incident.resolved_at else "",
        "Time to recovery": _took(incident),
        "Cause": CAUSE_WORDS[incident.cause] if incident.cause else "",
        "Where": _text(incident.target) if incident.target and incident.cause else "",
        "What was done": _text(done_words(incident)),
        "Arguments": _code(json.dumps(to_json(incident.action.arguments))) if incident.action else "",
        "Who chose": _text(chosen_words(incident)),
        "Asked of people": _text(asked_words(incident)),
    }
    yield "| | |"
    yield "|---|---|"
    for name, fact in facts.items():
        if fact:
            yield f"| {name} | {fact} |"


def _took(incident: Incident) -> str:
    if incident.resolved_at is None:
        return ""
    return duration((incident.resolved_at - incident.began_at).total_seconds() * 1_000)


def _hypothesis(place: int, hypothesis: Hypothesis) -> Iterator[str]:
    yield f"### {place}. {_text(hypothesis.summary)} (score {hypothesis.score:.2f})"
    yield ""
    yield f"{CAUSE_WORDS[hypothesis.cause]}, {_text(hypothesis.target)}."
    yield ""
    for evidence in hypothesis.evidence:
        yield from _evidence(evidence)
    for text in hypothesis.against:
        yield f"- Against it: {_text(text)}"
    yield ""


def _evidence(evidence: Evidence) -> Iterator[str]:
    opened = f" ([in Grafana]({link}))" if (link := web_link(evidence.link)) and ")" not in link else ""
    numbers = f"; {number(evidence.value)}" if evidence.value is not None else ""
    if numbers and evidence.baseline is not None:
        numbers += f", {number(evidence.baseline)} before"
    yield f"- {_text(evidence.signal)}: {_text(evidence.statement)}{numbers}{opened}"
    yield f"  - {_time(evidence.start)} to {_time(evidence.end)}: {_code(evidence.query)}"


def _section(heading: str) -> Iterator[str]:
    yield from ("", f"## {heading}", "")


def _text(value: object) -> str:
    return _SPECIAL.sub(r"\\\1", plain_text(str(value), 2_000))


def _code(text: str) -> str:
    """Return text as a code span, between more backticks than it holds in a row."""
    line = plain_text(text, 4_000).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    return f"{fence} {line} {fence}" if line else ""


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
