"""Posting to one address. Errors name its host alone: the path of such an address often is its secret."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from awf.core.http import client, reaching
from awf.errors import ConfigError


class Poster:
    """Posts to the address of a service. Raises ConfigError for one that is none of the web, and later Unavailable."""

    def __init__(
        self, service: str, url: str, *, token: str = "", transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigError(f"{url!r} is no address of the web", hint="Write it as https://host/path.")
        self.host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._service = service
        self._url = url
        self._token = token
        self._transport = transport

    async def post(
        self, *, json: object = None, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Return the answer, whatever its status."""
        with reaching(self._service, self.host):
            async with client(
                self.host, token=self._token, setting="token", transport=self._transport
            ) as http:
                return await http.post(self._url, json=json, content=content, headers=headers)
