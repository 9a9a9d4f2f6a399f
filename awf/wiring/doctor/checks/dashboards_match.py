"""Every dashboard that AWF generates is in Grafana, and is what this version generates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from awf.errors import AwfError, NotFound
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, warn

WHAT = "dashboards"
ADDRESS = "awf"  # the constant with the address of AWF's own pages
# What Grafana writes itself.
_OURS = ("title", "description", "tags", "time", "refresh", "templating", "links", "panels")


async def _run(case: Case) -> list[Finding]:
    from awf.generate.output import render_dashboards

    findings = []
    for path, text in sorted(render_dashboards().items()):
        findings.append(await _one(case, path, json.loads(text)))
    return findings


async def _one(case: Case, path: str, ours: dict[str, Any]) -> Finding:
    uid = str(ours["uid"])
    what = str(ours.get("title") or uid)
    try:
        body = await case.grafana.get(f"/api/dashboards/uid/{uid}")
    except NotFound:
        hint = f"Import dashboards/{path}, or put it into the folder that Grafana's provider reads."
        return fail(what, f"Grafana has no dashboard with the uid {uid!r}", hint=hint)
    except AwfError as error:
        return fail(what, error.message, hint=error.hint)
    theirs, meta = body["dashboard"], body.get("meta") or {}
    case.boards[uid] = theirs
    differences = compare(_with_their_address(ours, theirs), theirs)
    if not differences:
        return ok(what, f"/d/{uid} is that of this AWF")
    where = "; ".join(differences[:4]) + (f" and {len(differences) - 4} more" if len(differences) > 4 else "")
    if meta.get("provisioned"):
        hint = (
            f"Its file is another version's or was edited: `awf generate`, then copy dashboards/{path} there."
        )
    else:
        hint = (
            f"It was edited, or imported from another version: import dashboards/{path} again to have ours."
        )
    return warn(what, f"/d/{uid} is not that of this AWF: {where}", hint=hint, items=differences)


def _with_their_address(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where links to AWF's pages lead may differ: it was chosen when the files were made."""
    chosen = [each for each in _variables(theirs) if each.get("name") == ADDRESS]
    others = [each for each in _variables(ours) if each.get("name") != ADDRESS]
    return {**ours, "templating": {"list": others + chosen}}


def _variables(board: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((board.get("templating") or {}).get("list") or ())


def compare(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Return in words how two dashboards differ in what people see. Grafana's own additions count for nothing."""
    ours, theirs = _without_addresses(ours), _without_addresses(theirs)
    found = [name for name in _OURS[:-1] if not _is_within(ours.get(name), theirs.get(name))]
    mine, other = _panels(ours), _panels(theirs)
    found += [f"no panel {mine[key]['title']!r}" for key in mine if key not in other]
    found += [f"panel {other[key].get('title', key)!r} is not ours" for key in other if key not in mine]
    for key in mine:
        if key not in other:
            continue
        parts = [
            name
            for name, value in mine[key].items()
            if name != "id" and not _is_within(value, other[key].get(name))
        ]
        if parts:
            found.append(f"panel {mine[key]['title']!r} has other {', '.join(sorted(parts))}")
    return found


def _without_addresses(board: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what constants hold: where people reach AWF, which is another address in each installation."""
    variables = (board.get("templating") or {}).get("list") or []
    kept = [
        {key: each[key] for key in ("name", "type") if key in each}
        if each.get("type") == "constant"
        else each
        for each in variables
    ]
    return {**board, "templating": {"list": kept}}


def _panels(board: Mapping[str, Any]) -> dict[object, Mapping[str, Any]]:
    return {
        panel.get("id") or panel.get("title"): {"title": "", **panel} for panel in board.get("panels") or ()
    }


def _is_within(ours: Any, theirs: Any) -> bool:
    """Say whether everything of ours is in theirs: Grafana adds defaults when it loads a dashboard."""
    if isinstance(ours, Mapping):
        return isinstance(theirs, Mapping) and all(
            _is_within(value, theirs.get(key)) for key, value in ours.items()
        )
    if isinstance(ours, list):
        return (
            isinstance(theirs, list)
            and len(ours) == len(theirs)
            and all(_is_within(a, b) for a, b in zip(ours, theirs, strict=True))
        )
    return bool(ours == theirs) or (ours in (None, "", False) and theirs in (None, "", False))


SPEC = Check("dashboards_match", "dashboards", WHAT, _run, needs=("grafana_answers",))
