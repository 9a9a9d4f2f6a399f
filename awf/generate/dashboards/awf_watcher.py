"""AWF Watcher: what came in, what it found and did, what it asks of people, and whether it works."""

from __future__ import annotations

from typing import Any

from awf.core import semconv as sc
from awf.generate import panels as p
from awf.generate import thresholds
from awf.generate.board import dashboard
from awf.generate.expr import any_of, by, gained, rate
from awf.generate.spec import DashboardSpec

WINDOW = "$__rate_interval"
CLOSED = any_of(("resolved", "false_alarm", "escalated", "inconclusive"))
LOOKED_INTO = "investigating"
ALONE = any_of(("resolved", "false_alarm"))
FEW_MINUTES = ((p.GREEN, None), (p.YELLOW, 600_000.0), (p.RED, 3_600_000.0))
# Where none waits its series ends, and is still found for five minutes.
EXPIRES = f"min({sc.WATCHER_APPROVAL_EXPIRES}) and on () (sum({sc.WATCHER_APPROVALS_PENDING}) > 0)"
NONE_STEPS = ((p.GREEN, None), (p.RED, 1.0))


def build() -> dict[str, Any]:
    """Return the dashboard's JSON."""
    return dashboard(
        "awf-watcher",
        "AWF Watcher",
        "What the watcher does with alerts: investigations, actions, questions to people, time to recovery. Each "
        "incident itself is on AWF's own pages.",
        [
            ("Now", 4, _now()),
            ("Alerts and incidents", 8, _incidents()),
            ("Actions", 8, _actions()),
            ("Times", 8, _times()),
            ("Does it work?", 8, _works()),
            ("What it looked into", 9, _failures()),
        ],
        [],
        since="now-6h",
    )


def _grown(metric: str, labels: tuple[str, ...], window: str = "$__range", **matchers: str) -> str:
    """Return by how much a counter has grown, in whole numbers and with the first count ever."""
    return gained(metric, labels, window, **matchers)


def _share(status: str, among: str, window: str) -> str:
    part = _grown(sc.WATCHER_INCIDENTS, (), window, status=status)
    return f"({part}) / ({_grown(sc.WATCHER_INCIDENTS, (), window, status=among)} > 0)"


def _took(q: float, metric: str, labels: tuple[str, ...], window: str, **matchers: str) -> str:
    buckets = rate(f"{metric}_bucket", window, **matchers)
    return f"histogram_quantile({q}, {by('sum', ('le', *labels), buckets)})"


def _now() -> list[Any]:
    soon = ((p.RED, None), (p.YELLOW, thresholds.APPROVAL_EXPIRES_SOON_S), (p.GREEN, 1800.0))
    return [
        p.stat("Alerts in", _grown(sc.WATCHER_ALERTS, (), status="firing"), "short",
               "Firing alerts that arrived in the time shown. None although alerts fire in Grafana: check the contact "
               "point, and that its secret is the watcher's."),
        p.stat("Incidents", _grown(sc.WATCHER_INCIDENTS, (), status=LOOKED_INTO), "short",
               "Incidents that were looked into in the time shown. Far fewer than alerts is well: alerts of one cause are "
               "one incident."),
        p.stat("Approvals waiting", f"sum({sc.WATCHER_APPROVALS_PENDING})", "short",
               "Questions that nobody has answered. Not zero: answer them on AWF's pages or with awf approvals.",
               steps=((p.GREEN, None), (p.YELLOW, 1.0))),
        p.stat("First expires in", EXPIRES, "s",
               "When the first open question expires. Then nothing is done and on-call is told: answer before.",
               steps=soon, empty="none waits", instant=True),
        p.stat("Time to recovery", _took(0.5, sc.WATCHER_RECOVERY_MS, (), "$__range", status="resolved"), "ms",
               "Median from an alert's start until its end was verified, over the time shown. Growing: see Times below for "
               "where it goes.", steps=FEW_MINUTES, empty="none recovered", instant=True),
        p.stat("Closed without on-call", _share(ALONE, CLOSED, "$__range"), "percentunit",
               "Share of the incidents that ended resolved or as a false alarm, with an approval where one was needed. "
               "Low: the incidents' pages say why each was handed over.",
               steps=((p.RED, None), (p.YELLOW, 0.5), (p.GREEN, 0.8)), empty="none closed", instant=True),
        p.stat("Asked first", _share("awaiting_approval", LOOKED_INTO, "$__range"), "percentunit",
               "Share of the incidents that were looked into for which a person was asked. High for an action that is always approved: allow it in the "
               "policy.", empty="no incident", instant=True),
        p.stat("Failures", _grown(sc.WATCHER_FAILURES, ()), "short",
               "What the watcher itself failed to do in the time shown. Not zero: see by stage below, and its log.",
               steps=NONE_STEPS),
    ]  # fmt: skip


def _incidents() -> list[Any]:
    return [
        p.timeseries("Alerts by status", [(_grown(sc.WATCHER_ALERTS, (sc.STATUS,), "5m"), "{{status}}")],
                     "short", "Alerts of the last five minutes. A storm of firing ones: look for one cause, not for each.",
                     stacked=True),
        p.timeseries("Incidents by status", [(_grown(sc.WATCHER_INCIDENTS, (sc.STATUS,), "5m"), "{{status}}")],
                     "short", "Incidents that came to a status in the last five minutes. Many escalated or inconclusive: "
                     "the watcher finds no cause or no action; read one of them.", stacked=True),
        p.pie("How incidents ended", _grown(sc.WATCHER_INCIDENTS, (sc.STATUS,), status=CLOSED), "{{status}}",
              "short", "Over the time shown. False alarms: raise the threshold of their alert. Inconclusive: too little "
              "traffic to prove that an action helped."),
    ]  # fmt: skip


def _actions() -> list[Any]:
    return [
        p.timeseries("Actions by outcome", [(_grown(sc.WATCHER_ACTIONS, ("outcome",), "5m"), "{{outcome}}")],
                     "short", "Actions that ended in the last five minutes. undone, ineffective: the cause was another; "
                     "refused: policy or a limit; failed: the engine said no; inconclusive: a person must look.", stacked=True),
        p.pie("Actions in the time shown", _grown(sc.WATCHER_ACTIONS, ("action", "outcome")), "{{action}} {{outcome}}",
              "short", "Which action ended how. One that is mostly undone should be asked for, not allowed."),
        p.pie("Who decided", _grown(sc.WATCHER_ACTIONS, (sc.DECIDED_BY,)), "{{decided_by}}",
              "short", "Actions that ended in the time shown, by who let them happen: the rules, a language model among "
              "what the rules allow, or a person. The rules' share is how autonomous the watcher is."),
        p.timeseries("Questions without an answer", [(f"sum({sc.WATCHER_APPROVALS_PENDING})", "waiting")],
                     "short", "How many questions wait. A line that stays up: nobody is told, or nobody may approve."),
        p.timeseries("Until the first approval expires", [(EXPIRES, "expires in")],
                     "s", "Falls while nobody answers; at zero the incident is handed to on-call. Below the line "
                     "AWFApprovalExpiring fires: answer.", steps=p.below(thresholds.APPROVAL_EXPIRES_SOON_S)),
    ]  # fmt: skip


def _times() -> list[Any]:
    both = (0.5, 0.95)
    return [
        p.timeseries("Investigation time",
                     [(_took(q, sc.WATCHER_INVESTIGATION_MS, (), "1h"), f"p{round(q * 100)}") for q in both],
                     "ms", "Until causes with evidence were found, over an hour each. Above the line: Grafana or the stores "
                     "answer slowly.", steps=p.above(thresholds.INVESTIGATION_TARGET_MS)),
        p.timeseries("Recovery time",
                     [(_took(q, sc.WATCHER_RECOVERY_MS, (sc.STATUS,), "1h"), f"{{{{status}}}} p{round(q * 100)}") for q in both],
                     "ms", "From an alert's start until its end was seen, over an hour each: resolved by the watcher, or "
                     "after it told people. Long for resolved: approvals that wait, or slow verification."),
        p.timeseries("Time by stage",
                     [(_took(0.5, sc.WATCHER_STAGE_MS, (sc.STAGE,), "1h"), "{{stage}} p50")],
                     "ms", "How long incidents were in each status, the median over an hour each: where the time to "
                     "recovery goes. awaiting_approval high: people; verifying high: little traffic after an action."),
        p.timeseries("Alert to incident",
                     [(_took(q, sc.WATCHER_DETECTION_MS, (), "1h"), f"p{round(q * 100)}") for q in both],
                     "ms", "From when an alert says that it began until its incident was open, over an hour each. Long: the "
                     "group wait of the notification policy, or webhooks that are lost and found by polling."),
        p.timeseries("Closed without on-call, by hour",
                     [(_share(ALONE, CLOSED, "1h"), "closed alone or with an approval"),
                      (_share("awaiting_approval", LOOKED_INTO, "1h"), "asked")],
                     "percentunit", "Share of the incidents that ended in the hour before. Falling after a change of policy "
                     "or rules: compare the incidents."),
    ]  # fmt: skip


def _works() -> list[Any]:
    return [
        p.timeseries("Failures by stage", [(_grown(sc.WATCHER_FAILURES, ("stage",), "5m"), "{{stage}}")],
                     "short", "What failed in the last five minutes; three times in ten fire AWFWatcherFailing. querying: Grafana or mcp-grafana; receiving, sweeping: "
                     "the database; annotating: the token for annotations; notifying: the on-call channel; others: its log.",
                     stacked=True),
        p.timeseries("Investigations", [(_grown(f"{sc.WATCHER_INVESTIGATION_MS}_count", (), "5m"), "investigations")],
                     "short", "Looks taken in the last five minutes, up to three for one incident whose cause is not seen "
                     "yet. None while alerts arrive: the watcher is paused, or hangs."),
        p.timeseries("Rules and notifications of the embedded ruler",
                     [(_grown(sc.RULER_NOTIFICATIONS, ("outcome",), "5m"), "notification {{outcome}}"),
                      (_grown(sc.RULER_EVALUATION_FAILURES, (), "5m"), "rule failed"),
                      (_grown(sc.RULER_EVALUATIONS_MISSED, (), "5m"), "evaluation missed")],
                     "short", "Only where awf up runs the rules. Failed notifications: the watcher does not answer, or the "
                     "secrets differ. With Grafana see its alerting pages."),
    ]  # fmt: skip


def _failures() -> list[Any]:
    said = f'{{service_name=~".+"}} | {sc.EVENT_TYPE}=~"workflow.failed|workflow.step.failed|agent.failed"'
    return [
        p.logs("Failures of workflows and agents", said,
               "What failed while the watcher was at work (purple marks above are its actions). Still failing after an "
               "action: read the incident, links are at the top."),
    ]  # fmt: skip


SPEC = DashboardSpec(name="awf_watcher", title="AWF Watcher", build=build)
