"""What a browser tab is to a server: at most six connections that stay open, and as little work of its own as can be,
because it shares the machine with what is measured."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

CONNECTIONS = 6
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):
    """An answer that is not 200."""


class Tab:
    """Asks one server or several; the limit of connections is each server's."""

    def __init__(self) -> None:
        self._free: dict[str, asyncio.LifoQueue[Connection | None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for free in self._free.values():
            while not free.empty():
                if (connection := free.get_nowait()) is not None:
                    connection[1].close()

    async def get(self, base: str, path: str, parameters: Mapping[str, str]) -> bytes:
        """Return the body of a 200. Raises Refused for any other status, OSError when the connection breaks."""
        address = urlsplit(base)
        target = f"{address.path}{path}?{urlencode(parameters)}"
        free = self._free.setdefault(address.netloc, _queue())
        connection = await free.get()
        try:
            reader, writer = connection or await asyncio.open_connection(address.hostname, address.port)
            connection = None
            writer.write(f"GET {target} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
            status, body = await _answer(reader)
            connection = (reader, writer)
        finally:
            free.put_nowait(connection)
        if status != 200:
            raise Refused(f"{status}: {body[:300].decode(errors='replace')}")
        return body

    async def get_json(self, base: str, path: str, parameters: Mapping[str, str]) -> Any:
        return json.loads(await self.get(base, path, parameters))


def _queue() -> asyncio.LifoQueue[Connection | None]:
    """Return places for connections; those that are open come first."""
    free: asyncio.LifoQueue[Connection | None] = asyncio.LifoQueue()
    for _ in range(CONNECTIONS):
        free.put_nowait(None)
    return free


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head.split(maxsplit=2)[1])
        if "\r\ntransfer-encoding: chunked" in head:
            return status, await _chunks(reader)
        length = head.partition("\r\ncontent-length:")[2].partition("\r")[0]
        return status, await reader.readexactly(int(length))
    except asyncio.IncompleteReadError as error:
        raise OSError("the answer ended before its end") from error


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while length := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(length)
        await reader.readuntil(b"\r\n")
    await reader.readuntil(b"\r\n")
    return bytes(body)
