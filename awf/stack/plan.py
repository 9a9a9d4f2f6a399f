"""Who in `compose.yaml` holds which secret, under which user, and whose volume is whose: data, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

AWF, GRAFANA, ALLOY, POSTGRES = (10001, 10001), (472, 0), (473, 473), (999, 999)
LOKI = TEMPO = MIMIR = (10001, 10001)
Owner = tuple[int, int]
"""User and group of a container, as numbers: names differ from image to image."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret, the services that get a copy, and what of it is kept elsewhere.

    `volume` holds data that was set up with this secret once `marker` (a glob) is found in it: then a new secret
    would not open it. `shown_as` is set for what a person needs to know, `without` for a character that one of its
    readers would not take as it is.
    """

    name: str
    services: tuple[str, ...]
    volume: str = ""
    marker: str = ""
    shown_as: str = ""
    prefix: str = ""
    without: str = ""


SECRETS: Final = (
    Secret(
        "grafana-admin-password", ("grafana", "bootstrap"), volume="grafana", marker="grafana.db",
        shown_as="Grafana, password of admin",
    ),
    Secret("admin-token", ("awf",), shown_as="AWF, token of admin", prefix="awf_"),
    Secret("worker-token", ("awf", "demo"), prefix="awf_"),
    Secret("webhook-secret", ("awf", "grafana"), without="$"),  # Grafana's provisioning: a variable begins
    Secret("postgres-password", ("awf", "postgres"), volume="postgres", marker="*/*/PG_VERSION"),
    Secret("mcp-read-token", ("awf", "mcp-grafana-read")),
    Secret("mcp-annotate-token", ("awf", "mcp-grafana-annotate")),
)  # fmt: skip

SERVICES: Final[Mapping[str, Owner]] = {
    "awf": AWF,
    "bootstrap": AWF,
    "demo": AWF,
    "grafana": GRAFANA,
    "mcp-grafana-annotate": AWF,
    "mcp-grafana-read": AWF,
    "postgres": POSTGRES,
}

VOLUMES: Final[Mapping[str, Owner]] = {
    "alloy": ALLOY,
    "awf": AWF,
    "demo": AWF,
    "grafana": GRAFANA,
    "grafana-annotate-token": AWF,
    "grafana-read-token": AWF,
    "loki": LOKI,
    "mimir": MIMIR,
    "postgres": POSTGRES,
    "tempo": TEMPO,
}
