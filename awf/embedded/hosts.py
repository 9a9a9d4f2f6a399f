"""Answers only requests that mean this server: a web page that rebinds its name to 127.0.0.1 does not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send


class HostCheck:
    """ASGI middleware; loopback names, the configured host and `also` pass, anything else gets 403."""

    def __init__(self, app: ASGIApp, *, host: str, also: Iterable[str] = ()) -> None:
        self._app = app
        self._allowed = {name.lower() for name in ("localhost", host, *also)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        header = _header(scope)
        if self._is_allowed(_name(header)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refuse(header, send)

    def _is_allowed(self, name: str) -> bool:
        return name in self._allowed or _is_loopback(name)


def _header(scope: Scope) -> str:
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    return values[0] if len(values) == 1 else ""


def _name(header: str) -> str:
    """Return the host without its port: `[::1]:80` is `::1`."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.rpartition(":")[0].lower() if ":" in header else header.lower()


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


async def _refuse(header: str, send: Send) -> None:
    message = (
        f"Host {header[:200]!r} is not served here. Use 127.0.0.1 or localhost, or add the name that "
        "clients use to AWF_ALLOWED_HOSTS."
    )
    body = json.dumps({"status": "error", "message": message, "error": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
