"""Binds every port before anything else starts, so that a taken one is said at once and by name."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping

from awf.errors import ConfigError, PortInUse


def reserve(host: str, ports: Mapping[str, int]) -> list[socket.socket]:
    """Return one listening socket per setting, in the given order; port 0 takes a free one.

    Raises PortInUse naming port and setting, ConfigError for an address this machine does not have. When
    one cannot be had, none is kept.
    """
    taken: list[socket.socket] = []
    try:
        for setting, port in ports.items():
            taken.append(_listen(host, port, setting))
    except BaseException:
        for sock in taken:
            sock.close()
        raise
    return taken


def _listen(host: str, port: int, setting: str) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ConfigError(f"AWF_HOST={host} is not an address: {error.strerror}") from error
    sock = socket.socket(family, kind, protocol)
    try:
        # A restart must not wait for old connections to time out; a live listener still refuses.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(1024)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _refusal(error, host, port, setting) from error
    return sock


def _refusal(error: OSError, host: str, port: int, setting: str) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return PortInUse(
            f"port {port} ({setting}) is already in use on {host}",
            hint=f"Stop what listens there, or set {setting} to another port.",
        )
    if error.errno == errno.EACCES:
        return ConfigError(
            f"port {port} ({setting}) may not be used by this user", hint=f"Set {setting} above 1023."
        )
    return ConfigError(
        f"port {port} ({setting}) cannot be bound on AWF_HOST={host}: {error.strerror}",
        hint="Set AWF_HOST to an address of this machine.",
    )
