"""One HTTP/2 connection that carries one request at a time, as OTLP over gRPC needs it.

gRPC's own library keeps threads and state for the whole process, which the child of a fork inherits broken.
"""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401  # else the first connection imports it: see `senders`
import select
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

MAX_ANSWER_BYTES = 4 << 20
_READ_BYTES = 64 << 10
_SETTINGS = b"\x04"  # the type of the frame with which every HTTP/2 server begins


class StreamReset(OSError):
    """The server broke the request off. `code` is HTTP/2's."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the server reset the request: HTTP/2 error {code}")
        self.code = code


@dataclass(slots=True)
class Answer:
    """What came back: headers and trailers together, later ones winning."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    is_whole: bool = False


class Http2Connection:
    """Connects when it is made. After any error it is of no more use: close it and make another."""

    def __init__(self, url: str, context: ssl.SSLContext | None, timeout_s: float) -> None:
        """Raises OSError."""
        parts = urlsplit(url)
        self.authority = parts.netloc
        self._scheme = parts.scheme
        self._is_greeted = self._is_going_away = False
        self._stream, self._answer = 0, Answer()
        self._give_up_at = time.monotonic() + timeout_s
        self._socket = _connect(parts.hostname or "", parts.port or (443 if context else 80), timeout_s)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                self._socket = context.wrap_socket(self._socket, server_hostname=parts.hostname)
            config = h2.config.H2Configuration(header_encoding="utf-8")
            self._state = h2.connection.H2Connection(config)
            self._state.initiate_connection()
            self._state.update_settings({h2.settings.SettingCodes.ENABLE_PUSH: 0})
            self._flush()
        except BaseException:
            self._socket.close()
            raise

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent: the server may have said goodbye meanwhile."""
        try:
            while not self._is_going_away and select.select([self._socket], [], [], 0)[0]:
                self._receive()
        except (OSError, ValueError):
            return False
        return not self._is_going_away

    def post(self, path: str, headers: Sequence[tuple[str, str]], body: bytes, timeout_s: float) -> Answer:
        """Send a request and return its answer. Raises OSError, of which TimeoutError and StreamReset."""
        self._give_up_at = time.monotonic() + timeout_s
        self._answer, self._stream = Answer(), self._state.get_next_available_stream_id()
        about = (
            (":method", "POST"), (":scheme", self._scheme), (":path", path), (":authority", self.authority),
        )  # fmt: skip
        try:
            self._state.send_headers(self._stream, [*about, *headers])
            self._send(body)
            while not self._answer.is_whole:
                self._receive()
        except h2.exceptions.ProtocolError as error:
            raise OSError(f"the server breaks HTTP/2: {error}") from error
        return self._answer

    def close(self) -> None:
        """Break off what is under way, in whatever thread, and let go."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _send(self, body: bytes) -> None:
        rest = memoryview(body)
        while rest and not self._answer.is_whole:  # it may refuse before it has read all
            room = min(
                self._state.local_flow_control_window(self._stream), self._state.max_outbound_frame_size
            )
            if room:
                self._state.send_data(self._stream, bytes(rest[:room]), end_stream=len(rest) <= room)
                rest = rest[room:]
                self._flush()
            else:
                self._receive()

    def _flush(self) -> None:
        if data := self._state.data_to_send():
            self._limit()
            self._socket.sendall(data)

    def _receive(self) -> None:
        self._limit()
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        if not self._is_greeted and data[3:4] != _SETTINGS:
            raise OSError(_unexpected(data))
        self._is_greeted = True
        try:
            for event in self._state.receive_data(data):
                self._take(event)
        except h2.exceptions.ProtocolError as error:
            raise OSError(f"the server breaks HTTP/2: {error}") from error
        self._flush()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self._is_going_away = True
            if (event.last_stream_id or 0) < self._stream and not self._answer.is_whole:
                raise ConnectionResetError("the server is going away")
        if getattr(event, "stream_id", None) != self._stream:
            return
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                self._answer.headers.update((str(name), str(value)) for name, value in event.headers or ())
            case h2.events.DataReceived():
                self._answer.body += event.data or b""
                if len(self._answer.body) > MAX_ANSWER_BYTES:
                    raise OSError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
                self._state.acknowledge_received_data(event.flow_controlled_length or 0, self._stream)
            case h2.events.StreamEnded():
                self._answer.is_whole = True
            # After its answer a server may reset the rest of a request that it did not want to read.
            case h2.events.StreamReset() if not self._answer.is_whole:
                raise StreamReset(int(event.error_code or 0))

    def _limit(self) -> None:
        left_s = self._give_up_at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("no answer in time")
        self._socket.settimeout(left_s)


def _unexpected(greeting: bytes) -> str:
    if greeting.startswith((b"HTTP/1", b"<")):
        return "the server speaks HTTP/1.1: is this its port for OTLP over HTTP?"
    if greeting.startswith(b"\x15\x03"):
        return "the server speaks TLS: write the endpoint with https://"
    return "the server does not speak HTTP/2"


def _connect(host: str, port: int, timeout_s: float) -> socket.socket:
    """Return a connection, through the proxy that the environment names if there is one."""
    proxies = getproxies()
    proxy = urlsplit(proxies.get("https") or proxies.get("http") or "")
    if not proxy.hostname or proxy_bypass(host):
        return socket.create_connection((host, port), timeout_s)
    tunnel = HTTPConnection(proxy.hostname, proxy.port or 80, timeout=timeout_s)
    tunnel.set_tunnel(host, port)
    try:
        tunnel.connect()
    except HTTPException as error:
        raise OSError(f"the proxy {proxy.hostname} makes no tunnel: {error}") from error
    return tunnel.sock
