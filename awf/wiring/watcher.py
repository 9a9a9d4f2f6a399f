"""The watcher with its eyes (mcp-grafana), its hands (actions behind policy) and its memory (state)."""

from __future__ import annotations

from collections.abc import Sequence

from awf.agents.investigation import Investigator
from awf.agents.parts import WatcherConfig, WatcherParts
from awf.agents.toolbox import GrafanaMCPClient
from awf.agents.watcher import WatcherAgent
from awf.core.clock import SystemClock
from awf.core.counters import Counters
from awf.core.ports import Notifier, Policy
from awf.core.registry import discover
from awf.notify import NotifierSpec
from awf.remediation.policy import default_policy, load_policy
from awf.remediation.runner import ActionRunner
from awf.remediation.spec import ActionSpec, RemediationConfig, Tools
from awf.settings import Settings
from awf.state import State
from awf.wiring.doctor import mcp_grafana_path
from awf.wiring.secrets import find


def build_telemetry(settings: Settings) -> GrafanaMCPClient:
    """Return the client; it starts its processes when it is opened. Raises MissingDependency."""
    return GrafanaMCPClient(
        settings.grafana_base,
        token=find(settings, "grafana_token"),
        command=mcp_grafana_path(settings),
        datasources={
            "metrics": settings.datasource_metrics,
            "logs": settings.datasource_logs,
            "traces": settings.datasource_traces,
        },
        timeout_s=settings.mcp_timeout_s,
    )


def build_watcher(
    settings: Settings, state: State, telemetry: GrafanaMCPClient, counters: Counters
) -> WatcherAgent:
    """Return the watcher. Raises ConfigError for a policy that cannot be read."""
    clock = SystemClock()
    specs = discover("awf.remediation.actions", ActionSpec)
    tools = Tools(
        controls=state.controls,
        telemetry=telemetry,
        notifiers=_notifiers(settings),
        clock=clock,
        config=RemediationConfig(
            settle_s=settings.settle_s,
            verify_timeout_s=settings.verify_timeout_s,
            cooldown_s=settings.cooldown_s,
            max_actions_per_hour=settings.max_actions_per_hour,
        ),
    )
    parts = WatcherParts(
        incidents=state.incidents,
        approvals=state.approvals,
        audit=state.audit,
        switch=state.switch,
        remediation=ActionRunner(specs, policy=_policy(settings, specs), audit=state.audit, tools=tools),
        telemetry=telemetry,
        investigator=Investigator(telemetry, clock),
        config=WatcherConfig(
            may_act=bool(find(settings, "webhook_secret")),
            approval_ttl_s=settings.approval_ttl_s,
            public_url=settings.public_base,
        ),
        clock=clock,
        counters=counters,
    )
    return WatcherAgent(parts)


def _policy(settings: Settings, specs: dict[str, ActionSpec]) -> Policy:
    if settings.policy_file is not None:
        return load_policy(settings.policy_file, specs)
    return default_policy((name, spec.default) for name, spec in specs.items())


def _notifiers(settings: Settings) -> Sequence[Notifier]:
    options = {"log": {}, "webhook": {"url": settings.oncall_webhook_url}}
    found = discover("awf.notify", NotifierSpec)
    wanted = ["log", *(["webhook"] if settings.oncall_webhook_url else [])]
    return [found[name].open(options[name]) for name in wanted]
