"""What a Prometheus says about itself, as far as it is true here; there is nothing that is scraped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from awf.core.clock import Clock
from awf.embedded.contracts import SampleReader
from awf.embedded.cost import MAX_SAMPLES
from awf.embedded.prometheus_api.answers import Answer, Call, plain
from awf.embedded.prometheus_api.rules import RulesView
from awf.embedded.promql.parameters import Parameters

COMPATIBLE_VERSION: Final = "3.0.0"
"""The Prometheus whose query API this is; clients choose features by it."""
HEAD_MS: Final = 3_600_000

_NOTHING: Final[dict[str, Any]] = {
    "/api/v1/targets": {"activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {}},
    "/api/v1/targets/metadata": [],
    "/api/v1/scrape_pools": {"scrapePools": []},
    "/api/v1/alertmanagers": {"activeAlertmanagers": [], "droppedAlertmanagers": []},
    "/api/v1/notifications": [],
    "/api/v1/status/walreplay": {"min": 0, "max": 0, "current": 0},
    "/api/v1/status/tsdb/blocks": {"blocks": []},
}


class StatusEndpoints:
    """Each method answers one endpoint; `fixed` are those that read nothing."""

    def __init__(self, reader: SampleReader, rules: RulesView, clock: Clock, flags: dict[str, str]) -> None:
        self._reader = reader
        self._rules = rules
        self._clock = clock
        self._flags = flags | {"query.max-samples": str(MAX_SAMPLES), "query.lookback-delta": "5m"}
        self._started = clock.now()

    def fixed(self) -> dict[str, Call]:
        return {path: _constant(value) for path, value in _NOTHING.items()} | {
            "/api/v1/status/buildinfo": self.buildinfo,
            "/api/v1/status/runtimeinfo": self.runtimeinfo,
            "/api/v1/status/flags": self.flags,
            "/api/v1/status/config": self.config,
        }

    def buildinfo(self, _: Parameters) -> Answer:
        """No `features`: with them Grafana would take it for Mimir and try to write rules."""
        return plain(
            {
                "version": COMPATIBLE_VERSION,
                "revision": "",
                "branch": "awf-embedded",
                "buildUser": "",
                "buildDate": "",
                "goVersion": "",
            }
        )

    def runtimeinfo(self, _: Parameters) -> Answer:
        return plain(
            {
                "startTime": _time(self._started),
                "serverTime": _time(self._clock.now()),
                "lastConfigTime": _time(self._started),
                "reloadConfigSuccess": True,
                "corruptionCount": 0,
                "storageRetention": self._flags.get("storage.tsdb.retention.time", ""),
            }
        )

    def flags(self, _: Parameters) -> Answer:
        return plain(self._flags)

    def config(self, _: Parameters) -> Answer:
        files = sorted({group["file"] for group in self._rules.groups()})
        return plain({"yaml": "".join(["rule_files:\n", *(f"- {json.dumps(name)}\n" for name in files)])})

    def tsdb(self, parameters: Parameters) -> Answer:
        """Count series of the last hour by metric, label and pair."""
        end_ms = round(self._clock.now().timestamp() * 1000)
        series = self._reader.series((), end_ms - HEAD_MS, end_ms)
        pairs = Counter(pair for labels in series for pair in labels.items())
        values = Counter(name for name, _ in pairs)
        sizes: Counter[str] = Counter()
        for name, value in pairs:
            sizes[name] += len(value.encode())
        metrics = Counter(labels.get("__name__", "") for labels in series)
        count = parameters.count("limit") or 10
        return plain(
            {
                "headStats": {
                    "numSeries": len(series), "numLabelPairs": len(pairs), "chunkCount": 0,
                    "minTime": end_ms - HEAD_MS, "maxTime": end_ms,
                },
                "seriesCountByMetricName": _most(metrics, count),
                "labelValueCountByLabelName": _most(values, count),
                "memoryInBytesByLabelName": _most(sizes, count),
                "seriesCountByLabelValuePair": _most(
                    Counter({f"{name}={value}": n for (name, value), n in pairs.items()}), count
                ),
            }
        )  # fmt: skip


def _constant(value: object) -> Callable[[Parameters], Answer]:
    return lambda _: plain(value)


def _most(counted: Counter[str], count: int) -> list[dict[str, Any]]:
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [{"name": name, "value": n} for name, n in ranked[:count]]


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
