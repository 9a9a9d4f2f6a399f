"""The words of Grafana that the embedded stack speaks: one organisation, one folder, one contact point."""

from __future__ import annotations

from typing import Final

APP_VERSION: Final = "13.2.3"
"""The Grafana whose shapes are followed."""

ORG_ID: Final = 1
FOLDER: Final = "AWF"
FOLDER_UID: Final = "awf"
LABEL_FOLDER: Final = "grafana_folder"
RECEIVER: Final = "awf-watcher"
METRICS_UID: Final = "mimir"
GROUP_BY: Final = "alertname"
