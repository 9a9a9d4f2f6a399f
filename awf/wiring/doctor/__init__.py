"""`awf doctor`: does telemetry arrive, is it seen, does an alert reach the watcher, and if not, where does it end?

Everything is asked over HTTP, so the embedded stack and Grafana with Mimir, Loki and Tempo are examined alike.
Adding a check is adding one file to `checks/`.
"""

from awf.wiring.doctor.examination import AREAS, examine
from awf.wiring.doctor.findings import Check, Finding, Report, Status
from awf.wiring.doctor.programs import mcp_grafana_path

__all__ = ["AREAS", "Check", "Finding", "Report", "Status", "examine", "mcp_grafana_path"]
