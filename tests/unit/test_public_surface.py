"""The names that others build on: where they are, what they are called, and that the lists of them are true."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import pytest

import awf
from awf import errors
from awf.agents.watcher import WATCHER_MANIFEST, WatcherAgent
from awf.core.codec import from_json, to_json
from awf.core.types import AgentManifest
from awf.orchestration.otel_exporter import OTelExporter

ROOT = Path(awf.__file__).parent
PROJECT = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

FIXED = {
    "awf.agents.toolbox": ["GrafanaMCPClient"],
    "awf.agents.watcher": ["WATCHER_MANIFEST", "WatcherAgent"],
    "awf.api.app": ["create_app"],
    "awf.cli.main": ["main"],
    "awf.core.types": ["AgentManifest", "Capability", "CapabilityType", "TaskMetrics"],
    "awf.orchestration.events": ["EventEmitter", "WorkflowEvent"],
    "awf.orchestration.otel_exporter": ["OTelExporter"],
}
WATCHER_METHODS = [
    "approve_action", "determine_action", "execute_remediation", "get_pending_approvals", "handle_alert",
    "investigate_alert", "reject_action", "request_hitl_approval",
]  # fmt: skip


def _modules_with_a_list() -> list[str]:
    """Return the modules that say what they offer, found without importing any."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            parts = path.relative_to(ROOT.parent).with_suffix("").parts
            found.append(".".join(parts).removesuffix(".__init__"))
    return found


LISTED = _modules_with_a_list()


# -- names that requirements fix


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in FIXED.items() for n in names])
def test_a_fixed_name_is_at_its_fixed_path(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


def test_the_watcher_offers_its_methods_to_a_library_user() -> None:
    for name in WATCHER_METHODS:
        method = getattr(WatcherAgent, name)
        assert inspect.iscoroutinefunction(method)
        assert inspect.signature(method).return_annotation is not inspect.Signature.empty


def test_the_watcher_says_who_it_is() -> None:
    assert WATCHER_MANIFEST.id == "awf-watcher"
    assert {capability.name for capability in WATCHER_MANIFEST.capabilities} == {
        "grafana_query", "alert_investigation", "remediation_execution",
    }  # fmt: skip
    assert set(WATCHER_MANIFEST.permissions) == {
        "grafana:read", "grafana:query", "awf:workflow:restart", "awf:agent:reconfigure",
    }  # fmt: skip
    assert from_json(AgentManifest, to_json(WATCHER_MANIFEST)) == WATCHER_MANIFEST


def test_the_exporter_takes_an_endpoint_and_an_event() -> None:
    assert "endpoint" in inspect.signature(OTelExporter).parameters
    assert list(inspect.signature(OTelExporter.on_event).parameters) == ["self", "event"]
    assert inspect.iscoroutinefunction(OTelExporter.on_event)


# -- lists of what a module offers


@pytest.mark.parametrize("module", LISTED)
def test_a_list_of_names_is_true_and_names_each_once(module: str) -> None:
    loaded = importlib.import_module(module)
    assert len(loaded.__all__) == len(set(loaded.__all__))
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []


@pytest.mark.parametrize(
    "module", [name for name in LISTED if (ROOT.parent / name.replace(".", "/")).is_dir()]
)
def test_a_package_offers_all_that_it_imports_and_nothing_by_chance(module: str) -> None:
    loaded = importlib.import_module(module)
    for name in loaded.__all__:
        getattr(loaded, name)  # some are loaded when they are asked for
    public: dict[str, Any] = {
        name: value
        for name, value in vars(loaded).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert sorted(public.keys() - {"annotations", "TYPE_CHECKING"}) == sorted(loaded.__all__)


def test_who_only_emits_events_does_not_load_the_engine() -> None:
    program = "import sys; from awf.orchestration import EventEmitter; print('awf.orchestration.engine' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# -- the package and its metadata


def test_the_version_is_the_same_everywhere() -> None:
    assert PROJECT["version"] == awf.__version__


def test_the_program_that_is_installed_is_there() -> None:
    module, _, name = PROJECT["scripts"]["awf"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_the_package_needs_nothing_and_everything_else_is_an_extra() -> None:
    assert PROJECT["dependencies"] == []
    extras = set(PROJECT["optional-dependencies"])
    assert extras >= {
        "otel",
        "server",
        "watcher",
        "embedded",
        "generate",
        "connectors",
        "charts",
        "llm",
        "all",
    }


# -- the tree of errors


def _drawn() -> dict[str, tuple[int | None, int | None]]:
    """Return what the drawing at the top of errors.py says: class -> (HTTP status, exit code)."""
    drawing = (errors.__doc__ or "").split("\n\n")[1]
    found = {}
    for line in drawing.splitlines():
        for name, rest in re.findall(r"\b([A-Z]\w+)\b(.*?)(?=\s{3}[A-Z]\w+ \d{3}|$)", line):
            if not inspect.isclass(getattr(errors, name, None)):
                continue
            status, code = re.search(r"\b([45]\d\d)\b", rest), re.search(r"exit (\d+)", rest)
            found[name] = (int(status[1]) if status else None, int(code[1]) if code else None)
    return found


def test_every_error_is_in_the_drawing_with_its_codes() -> None:
    drawn = _drawn()
    defined = {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.AwfError)
    }
    assert set(drawn) == set(defined)
    for name, (status, code) in drawn.items():
        assert status in (None, defined[name].http_status), name
        assert code in (None, defined[name].exit_code), name


def test_reasons_are_a_closed_set_one_for_each_error() -> None:
    kinds = [getattr(errors, name) for name in _drawn()]
    reasons = [kind.reason for kind in kinds]
    assert len(set(reasons)) == len(reasons)
    assert all(re.fullmatch(r"[a-z_]+", reason) for reason in reasons)


def test_an_error_as_problem_details_has_the_members_of_rfc_9457() -> None:
    problem = errors.NotFound("no 'x'", hint="Look elsewhere.", key="x").problem()
    assert problem == {
        "type": "urn:awf:error:not_found", "title": "Not found", "status": 404, "detail": "no 'x'",
        "reason": "not_found", "hint": "Look elsewhere.",
    }  # fmt: skip
