"""The token that this command line sends is known to the service, and its role suffices to look at things."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from awf.core.http import client
from awf.errors import ConfigError
from awf.settings import Settings
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, warn
from awf.wiring.doctor.grafana import said
from awf.wiring.doctor.network import unreachable
from awf.wiring.secrets import ADMIN

WHAT = "API token"
_ROLE = re.compile(r"has the role (\w+)")


async def _run(case: Case) -> list[Finding]:
    token, source = _token(case.settings)
    base = case.settings.api_base
    try:
        async with client(base, token=token) as http:
            read = await http.get("/executions")
            admin = await http.get("/api/v1/tokens")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise unreachable(base, error) from error
    if read.status_code == 401:
        hint = "Set AWF_TOKEN to a token of this server; `awf token create` of an admin makes one."
        return [fail(WHAT, f"the token of {source} is refused: {said(read)}", hint=hint)]
    found = _ROLE.search(said(admin))
    role = "admin" if admin.status_code == 200 else found[1] if found else "unknown"
    if read.status_code == 403:
        hint = "`awf incidents`, `approvals` and `executions` need the role viewer or more."
        return [warn(WHAT, f"the token of {source} has the role {role} and may not read", hint=hint)]
    if read.status_code != 200:
        return [
            fail(WHAT, f"/executions answers {read.status_code}: {said(read)}", hint="See the service's log.")
        ]
    return [ok(WHAT, f"accepted, role {role} ({source})")]


def _token(settings: Settings) -> tuple[str, str]:
    """Return the token that commands send, and where it comes from. Raises ConfigError."""
    for name in ("token", "bootstrap_token"):
        if token := settings.secret(name):
            return token, f"AWF_{name.upper()}"
    path: Path = settings.data_dir / ADMIN
    try:
        return path.read_text(encoding="utf-8").strip(), str(path)
    except OSError as error:
        raise ConfigError(
            f"AWF_TOKEN is not set and {path} cannot be read",
            hint="Set AWF_TOKEN, or AWF_DATA_DIR to the data directory of the server on this machine.",
        ) from error


SPEC = Check("api_token", "service", WHAT, _run, needs=("api_ready",))
