"""The watcher with its eyes (mcp-grafana), its hands (actions behind policy) and its memory (state)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from awf.agents.investigation import Investigator, Memory
from awf.agents.parts import WatcherConfig, WatcherParts
from awf.agents.reconciling import ReconcileConfig, Reconciler
from awf.agents.toolbox import GrafanaMCPClient, McpServer
from awf.agents.watcher import WatcherAgent
from awf.core.alert_source import AlertSource
from awf.core.clock import SystemClock
from awf.core.counters import Counters
from awf.core.ports import AlertIntake, Leases, People
from awf.core.registry import discover
from awf.remediation.custom import load_actions
from awf.remediation.playbook import PlaybookRules, load_playbook
from awf.remediation.policy import RulePolicy, default_policy, load_policy
from awf.remediation.runner import ActionRunner
from awf.remediation.spec import ActionSpec, RemediationConfig, Tools
from awf.settings import PREFIX, Settings
from awf.state import State
from awf.wiring.advice import adviser_of
from awf.wiring.doctor import mcp_grafana_path
from awf.wiring.secrets import find


def build_telemetry(settings: Settings) -> GrafanaMCPClient:
    """Return the client; it starts its processes, or reaches its servers, when it is opened.

    Raises MissingDependency for a program that is needed and not there, ConfigError.
    """
    return GrafanaMCPClient(
        settings.grafana_base,
        token=partial(_grafana_token, settings),
        command=partial(mcp_grafana_path, settings),
        servers=_servers(settings),
        datasources={
            "metrics": settings.datasource_metrics,
            "logs": settings.datasource_logs,
            "traces": settings.datasource_traces,
        },
        timeout_s=settings.mcp_timeout_s,
    )


def _grafana_token(settings: Settings) -> str:
    """Return the token as it is now. Its file may be written after our start, and anew later."""
    path = settings.grafana_token_file
    if path is not None and not path.exists() and not settings.grafana_token.get_secret_value():
        return ""
    return find(settings, "grafana_token")


def _servers(settings: Settings) -> dict[str, McpServer]:
    """Return what the settings name; there is a process of our own for what they do not."""
    urls = {"read": settings.mcp_read_url, "annotate": settings.mcp_annotate_url}
    return {
        name: McpServer(url, partial(settings.secret, f"mcp_{name}_token"), f"{PREFIX}MCP_{name.upper()}")
        for name, url in urls.items()
        if url
    }


def build_watcher(
    settings: Settings,
    state: State,
    *,
    leases: Leases,
    telemetry: GrafanaMCPClient,
    people: People,
    counters: Counters,
) -> WatcherAgent:
    """Return the watcher. Raises ConfigError for a policy or a playbook that cannot be read."""
    clock = SystemClock()
    specs = action_specs(settings)
    tools = Tools(
        controls=state.controls,
        telemetry=telemetry,
        people=people,
        clock=clock,
        audit=state.audit,
        config=RemediationConfig(
            settle_s=settings.settle_s,
            verify_timeout_s=settings.verify_timeout_s,
            cooldown_s=settings.cooldown_s,
            max_actions_per_hour=settings.max_actions_per_hour,
            block_after=settings.block_after,
            block_window_s=settings.block_window_s,
        ),
    )
    remediation = ActionRunner(
        specs, policy=policy_of(settings, specs), audit=state.audit, attempts=state.attempts, tools=tools
    )
    playbook = playbook_of(settings, specs)
    parts = WatcherParts(
        incidents=state.incidents,
        leases=leases,
        approvals=state.approvals,
        audit=state.audit,
        switch=state.switch,
        people=people,
        remediation=remediation,
        playbook=playbook,
        telemetry=telemetry,
        investigator=Investigator(
            telemetry,
            clock,
            memory=Memory(state.controls, state.incidents, settings.public_base),
            adviser=adviser_of(settings, playbook, remediation),
        ),
        config=WatcherConfig(
            may_act=bool(find(settings, "webhook_secret")),
            approval_ttl_s=settings.approval_ttl_s,
            public_url=settings.public_base,
            dry_run=settings.dry_run,
            beat_s=settings.lease_s / 3,
        ),
        clock=clock,
        counters=counters,
    )
    return WatcherAgent(parts)


def build_reconciler(
    settings: Settings, state: State, source: AlertSource, intake: AlertIntake, counters: Counters
) -> Reconciler:
    """Return what looks for alerts that no webhook told."""
    folders = frozenset(filter(None, (name.strip() for name in settings.alert_folders.split(","))))
    config = ReconcileConfig(poll_s=settings.alert_poll_s, folders=folders)
    return Reconciler(source, intake, state.incidents, config, counters=counters)


def action_specs(settings: Settings) -> dict[str, ActionSpec]:
    """Return the registered actions, ours and the operator's. Raises ConfigError naming a file that is none."""
    specs = discover("awf.remediation.actions", ActionSpec)
    if settings.actions_dir is None:
        return specs
    may_stay_open = settings.actions_open_network == "warn"
    own = load_actions(settings.actions_dir, taken=specs, environ=os.environ, may_stay_open=may_stay_open)
    return specs | own


def policy_of(settings: Settings, specs: Mapping[str, ActionSpec]) -> RulePolicy:
    """Return the policy that the settings name, or the built-in one. Raises ConfigError."""
    if settings.policy_file is not None:
        return load_policy(settings.policy_file, specs)
    return default_policy((name, spec.default) for name, spec in specs.items())


def playbook_of(settings: Settings, specs: Mapping[str, ActionSpec]) -> PlaybookRules:
    """Return the plays that the settings name and the built-in ones. Raises ConfigError."""
    if settings.playbook_file is not None:
        return load_playbook(settings.playbook_file, specs)
    return PlaybookRules()
