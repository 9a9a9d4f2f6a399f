"""A directory of the operator's own actions, and a runner that has them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from awf.core.incidents import Verdict
from awf.remediation.custom import load_actions
from awf.remediation.policy import Rule, RulePolicy, default_policy
from awf.remediation.runner import ActionRunner
from awf.remediation.sandbox import can_close_network
from awf.remediation.spec import ActionSpec, RemediationConfig, Tools
from tests.unit.remediation._scene import SPECS, Scene

ALLOW = RulePolicy([Rule(name="all", decision=Verdict.ALLOW)])
MANIFEST: dict[str, Any] = {
    "name": "restart_pods",
    "description": "Restart the pods of an agent.",
    "blast_radius": "the pods of one agent",
    "command": "restart_pods.sh",
    "parameters": {
        "properties": {
            "agent_id": {"type": "string", "pattern": "^[a-z]+$"},
            "namespace": {"type": "string", "default": "prod"},
        },
        "required": ["agent_id"],
    },
}


def write(folder: Path, script: str, **changes: Any) -> Path:
    """Put a script and its manifest into a folder; `...` takes a field out. Returns the folder."""
    folder.mkdir(exist_ok=True)
    manifest = {key: value for key, value in {**MANIFEST, **changes}.items() if value is not ...}
    (folder / f"{manifest['name']}.yaml").write_text(yaml.safe_dump(manifest))
    program(folder / "restart_pods.sh", script)
    return folder


def program(path: Path, script: str, mode: int = 0o755) -> None:
    path.write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
    path.chmod(mode)


def load(
    folder: Path, environ: Mapping[str, str] | None = None, *, open_: bool | None = None
) -> dict[str, ActionSpec]:
    """Read a folder; where this machine cannot close a network, only what needs it closed is refused."""
    may_stay_open = not can_close_network() if open_ is None else open_
    return load_actions(
        folder, taken=SPECS, environ=os.environ if environ is None else environ, may_stay_open=may_stay_open
    )


def runner_with(
    scene: Scene, own: dict[str, ActionSpec], policy: RulePolicy | None = ALLOW, **config: Any
) -> ActionRunner:
    specs = SPECS | own
    tools = Tools(
        scene.controls,
        scene.telemetry,
        scene.people,
        scene.clock,
        RemediationConfig(**config),
        scene.state.audit,
    )
    usual = default_policy((name, spec.default) for name, spec in specs.items())
    return ActionRunner(
        specs, policy=policy or usual, audit=scene.state.audit, attempts=scene.state.attempts, tools=tools
    )
