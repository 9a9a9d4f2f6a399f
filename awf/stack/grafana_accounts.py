"""Grafana's service accounts for mcp-grafana: made once, each with one token that is kept in a file.

Grafana provisions no service accounts from files, so this speaks its HTTP API as the administrator. It touches only
accounts of the names below and only tokens named `TOKEN_NAME`; a token that works is kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from awf.core.clock import Clock, SystemClock
from awf.core.http import client, reaching
from awf.errors import ConfigError, DataDirError, Forbidden, Unauthorized, Unavailable

TOKEN_NAME = "awf-bootstrap"  # noqa: S105 - the name of a token, not a token
WAIT_S = 180.0
POLL_S = 1.0
DOCS = "docs/deploying-with-grafana.md#forgotten-password"


@dataclass(frozen=True, slots=True)
class Account:
    """A service account and where its token goes."""

    name: str
    role: str
    token_file: Path


def accounts(read_token: Path, annotate_token: Path) -> tuple[Account, Account]:
    """Return the two accounts. Editor is the least basic role of Grafana OSS that may create annotations that
    belong to no dashboard; what it may do besides is closed off by mcp-grafana's own flags."""
    return (
        Account("awf-mcp-read", "Viewer", read_token),
        Account("awf-mcp-annotate", "Editor", annotate_token),
    )


class GrafanaAccounts:
    """One Grafana and its administrator. `tell` receives one sentence for each thing that was done."""

    def __init__(
        self,
        base_url: str,
        user: str,
        password: str,
        *,
        tell: Callable[[str], None],
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base = base_url
        self._auth = httpx.BasicAuth(user, password)
        self._user = user
        self._tell = tell
        self._clock = clock or SystemClock()
        self._transport = transport

    async def ensure(self, wanted: Sequence[Account], *, wait_s: float = WAIT_S) -> None:
        """Wait for Grafana, then make what is missing. Raises Unavailable, Unauthorized, Forbidden, ConfigError
        for an address that is not Grafana's, DataDirError for a file that cannot be written."""
        async with client(self._base, transport=self._transport) as http:
            await self._wait(http, wait_s)
            for account in wanted:
                await self._ensure(http, account)

    async def _wait(self, http: httpx.AsyncClient, wait_s: float) -> None:
        waited, said = 0.0, ""
        while True:
            try:
                response = await http.get("/api/health")
                if response.status_code == 200:
                    return
                said = f"it answers {response.status_code}"
            except httpx.HTTPError as error:
                said = str(error) or type(error).__name__
            if waited >= wait_s:
                raise Unavailable(
                    f"Grafana at {self._base} is not ready after {wait_s:.0f} s: {said}",
                    hint="Its log says why: docker compose logs grafana",
                )
            await self._clock.sleep(POLL_S)
            waited += POLL_S

    async def _ensure(self, http: httpx.AsyncClient, account: Account) -> None:
        found = await self._find(http, account.name)
        if found is None:
            body = {"name": account.name, "role": account.role, "isDisabled": False}
            found = await self._call(http, "POST", "/api/serviceaccounts", body)
            self._tell(f"made the service account {account.name} ({account.role})")
        elif found.get("role") != account.role or found.get("isDisabled"):
            body = {"name": account.name, "role": account.role, "isDisabled": False}
            await self._call(http, "PATCH", f"/api/serviceaccounts/{found['id']}", body)
            self._tell(f"gave the service account {account.name} the role {account.role} again")
        if await self._works(http, account.token_file):
            self._tell(f"kept the token of {account.name}")
            return
        path = f"/api/serviceaccounts/{found['id']}/tokens"
        for token in await self._call(http, "GET", path):
            if token["name"] == TOKEN_NAME:
                await self._call(http, "DELETE", f"{path}/{token['id']}")
        made = await self._call(http, "POST", path, {"name": TOKEN_NAME})
        _keep(account.token_file, made["key"])
        self._tell(f"made a token of {account.name}")

    async def _find(self, http: httpx.AsyncClient, name: str) -> dict[str, Any] | None:
        # The query matches parts of names.
        page = await self._call(
            http, "GET", "/api/serviceaccounts/search", query={"query": name, "perpage": 100}
        )
        return next((each for each in page["serviceAccounts"] if each["name"] == name), None)

    async def _works(self, http: httpx.AsyncClient, path: Path) -> bool:
        token = _kept(path)
        if not token:
            return False
        with reaching("Grafana", self._base):
            response = await http.get(
                "/api/search", params={"limit": 1}, headers={"Authorization": f"Bearer {token}"}
            )
        return response.status_code == 200

    async def _call(
        self,
        http: httpx.AsyncClient,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str | int] | None = None,
    ) -> Any:
        with reaching("Grafana", self._base):
            response = await http.request(method, path, json=body, params=query, auth=self._auth)
        self._check(response, path)
        try:
            return response.json()
        except ValueError as error:
            raise self._strange(path, response) from error

    def _check(self, response: httpx.Response, path: str) -> None:
        status = response.status_code
        if status < 400:
            return
        if status == 401:
            raise Unauthorized(
                f"Grafana at {self._base} refuses the password of {self._user}",
                hint="It keeps the one of its first start. Put that into secrets/grafana-admin-password, or set "
                f"another one in Grafana: {DOCS}",
            )
        if status == 403:
            raise Forbidden(
                f"{self._user} may not {path} in Grafana at {self._base}: {response.text[:200]}",
                hint="Making service accounts needs an administrator of the organisation.",
            )
        if status == 404:
            raise self._strange(path, response)
        raise Unavailable(
            f"Grafana at {self._base} answers {status} to {path}: {response.text[:200]}",
            hint="Its log says why: docker compose logs grafana",
        )

    def _strange(self, path: str, response: httpx.Response) -> ConfigError:
        return ConfigError(
            f"{self._base}{path} answers {response.status_code}: {response.text[:100]!r}, not as Grafana does",
            hint="Set AWF_GRAFANA_URL to Grafana's address, with the sub-path if it has one.",
        )


def _kept(path: Path) -> str:
    """Return the token of an earlier start; empty when there is none that a header could carry."""
    try:
        token = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
    except OSError as error:
        raise _unusable(path, error) from error
    return token if token.isprintable() else ""


def _keep(path: Path, token: str) -> None:
    """Write the token whole, readable for this user only."""
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(token + "\n")
        draft.replace(path)
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> DataDirError:
    return DataDirError(
        f"the token file {path} cannot be used: {error.strerror}",
        hint="Its folder is a volume of compose.yaml, which the service `secrets` gives to this user.",
    )
