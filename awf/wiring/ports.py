"""Say which port is taken before anything is started."""

from __future__ import annotations

import socket

from awf.errors import ConfigError, PortInUse
from awf.settings import PREFIX, Settings

PORTS = (
    "api_port", "grafana_port", "mimir_port", "loki_port", "tempo_port", "otlp_grpc_port", "otlp_http_port",
)  # fmt: skip


def require_free(settings: Settings) -> None:
    """Raise PortInUse naming the port and its setting, ConfigError when two settings share a port."""
    owners: dict[int, str] = {}
    for name in PORTS:
        port = getattr(settings, name)
        setting = f"{PREFIX}{name.upper()}"
        if port in owners:
            raise ConfigError(
                f"{owners[port]} and {setting} are both {port}", hint="Give each a port of its own."
            )
        owners[port] = setting
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError as error:
                raise PortInUse(
                    f"port {port} on {settings.host} cannot be used: {error.strerror}",
                    hint=f"Stop what listens there, or set {setting} to another port.",
                ) from error
