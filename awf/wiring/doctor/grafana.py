"""Grafana's HTTP API as the doctor asks it, and the stores through its datasource proxy."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx

from awf.core.http import client
from awf.errors import AwfError, Forbidden, NotFound, QueryError, Unauthorized, Unavailable
from awf.wiring.doctor.network import unreachable

TIMEOUT_S = 15.0
TOKEN_HINT = "Set AWF_GRAFANA_TOKEN to the token of a service account of this Grafana."  # noqa: S105 - no password


class Grafana:
    """One Grafana. Every method raises an AwfError that says in words what is wrong."""

    def __init__(self, base: str, token: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.base = base.rstrip("/")
        self.token = token
        self._http = client(self.base, token=token, timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Return the answer, whatever its status. Raises Unavailable."""
        try:
            return await self._http.request(method, path, **arguments)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(self.base, error) from error

    async def get(self, path: str, **params: Any) -> Any:
        """Return an answer's JSON. Raises Unavailable, Unauthorized, Forbidden, NotFound, QueryError."""
        return _json(path, await self.send("GET", path, params=params))

    async def store(self, uid: str, path: str, **params: Any) -> Any:
        """Return what a store answers through Grafana's datasource proxy."""
        return _json(path, await self.through_proxy(uid, path, **params))

    async def through_proxy(self, uid: str, path: str, **params: Any) -> httpx.Response:
        """Return a store's answer, whatever its status."""
        headers = {"Accept": "application/json"}
        url = f"/api/datasources/proxy/uid/{uid}/{path.lstrip('/')}"
        return await self.send("GET", url, params=params, headers=headers)


class Direct:
    """A store without Grafana between, to tell a store's fault from a datasource's."""

    def __init__(self, base: str) -> None:
        self.base = base

    async def store(self, path: str, **params: Any) -> Any:
        """Return what the store answers."""
        async with client(self.base, timeout_s=5.0) as http:
            try:
                response = await http.get(path, params=params, headers={"Accept": "application/json"})
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise unreachable(self.base, error) from error
        return _json(path, response)


def said(response: httpx.Response) -> str:
    """Return the sentence in an error's body, as Grafana, Prometheus, Loki or Tempo write it."""
    try:
        body = response.json()
    except ValueError:
        return " ".join(response.text.split())[:200]
    if not isinstance(body, dict):
        return str(body)[:200]
    found = body.get("error") or body.get("detail") or body.get("message") or body
    return str(found)[:300]


def _json(path: str, response: httpx.Response) -> Any:
    status = response.status_code
    if status >= 300:
        raise _refusal(path, response)
    try:
        return response.json()
    except ValueError as error:
        raise Unavailable(
            f"{path} answers {status} with something that is not JSON: {response.text[:60]!r}",
            hint="Is that address Grafana's? AWF_GRAFANA_URL sets it.",
        ) from error


def _refusal(path: str, response: httpx.Response) -> AwfError:
    status = response.status_code
    text = f"{path} answers {status}: {said(response)}"
    if status in {301, 302, 303, 307, 308}:
        where = response.headers.get("location", "")
        return Unauthorized(f"{path} leads to {where[:80]}", hint=TOKEN_HINT)
    if status == 401:
        return Unauthorized(text, hint=TOKEN_HINT)
    if status == 403:
        return Forbidden(
            text, hint="The token's service account needs the right; see docs/troubleshooting.md."
        )
    if status == 404:
        return NotFound(text)
    if status in {400, 422}:
        return QueryError(text)
    return Unavailable(
        text, hint="The store behind that datasource is away, overloaded or refuses: see its log."
    )
