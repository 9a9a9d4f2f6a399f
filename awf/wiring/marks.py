"""Marks of deployments in Grafana."""

from __future__ import annotations

from collections.abc import Sequence

from awf.core.http import client, raise_for_problem, reaching
from awf.errors import AwfError, Forbidden, NotFound, Unauthorized
from awf.settings import Settings
from awf.wiring.secrets import find


async def mark(settings: Settings, text: str, tags: Sequence[str]) -> int:
    """Write an annotation and return its number. Raises AwfError saying why Grafana did not take it."""
    token = find(settings, "grafana_token")
    async with client(settings.grafana_base, token=token, setting="AWF_GRAFANA_TOKEN") as http:
        with reaching("Grafana", settings.grafana_base):
            response = await http.post("/api/annotations", json={"text": text, "tags": list(tags)})
    try:
        raise_for_problem(response)
        return int(response.json()["id"])
    except (Unauthorized, Forbidden) as error:
        hint = "Set AWF_GRAFANA_TOKEN to the token of a service account that may write annotations."
        raise type(error)(
            f"Grafana at {settings.grafana_base} refuses: {error.message}", hint=hint
        ) from error
    except (NotFound, ValueError, KeyError, TypeError) as error:
        hint = "Set AWF_GRAFANA_URL to where Grafana is."
        raise AwfError(f"what answers at {settings.grafana_base} is not Grafana", hint=hint) from error
