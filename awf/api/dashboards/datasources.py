"""Which datasource a panel, a query or a variable means: by uid, by a variable, or Grafana's default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from awf.api.dashboards.interpolation import Value, interpolate_text
from awf.core.ports import Datasource
from awf.errors import NotFound

MIXED = "-- Mixed --"


class Datasources:
    """Those that Grafana has. A dashboard names one; a browser never does."""

    def __init__(self, found: Sequence[Datasource]) -> None:
        self._found = tuple(found)

    def of_type(self, kind: str) -> list[Datasource]:
        return [each for each in self._found if each.type == kind]

    def resolve(self, reference: Any, values: Mapping[str, Value], fallback: Any = None) -> Datasource:
        """Return the datasource of a reference (`{"uid", "type"}`, a name, or nothing). Raises NotFound."""
        uid, kind = _parts(reference)
        if uid == MIXED or not (uid or kind):
            uid, kind = _parts(fallback)
        uid = interpolate_text(uid, values)
        if uid and uid != "default":
            for each in self._found:
                if uid in (each.uid, each.name):
                    return each
            raise NotFound(
                f"Grafana has no datasource {uid!r:.80}",
                hint="Choose another in the dashboard's variables, or add it to Grafana.",
            )
        return self._default(kind)

    def _default(self, kind: str) -> Datasource:
        candidates = self.of_type(kind) if kind else list(self._found)
        for each in candidates:
            if each.is_default:
                return each
        if candidates and kind:
            return candidates[0]
        raise NotFound(f"Grafana has no {kind or 'default'} datasource")


def _parts(reference: Any) -> tuple[str, str]:
    if isinstance(reference, str):
        return reference, ""
    if isinstance(reference, dict):
        uid, kind = reference.get("uid"), reference.get("type")
        return uid if isinstance(uid, str) else "", kind if isinstance(kind, str) else ""
    return "", ""
