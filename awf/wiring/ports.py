"""Say which port is taken before anything is started."""

from __future__ import annotations

from awf.embedded.ports import reserve
from awf.errors import ConfigError
from awf.settings import PREFIX, Settings

PORTS = (
    "api_port", "grafana_port", "mimir_port", "loki_port", "tempo_port", "otlp_grpc_port", "otlp_http_port",
)  # fmt: skip


def require_free(settings: Settings) -> None:
    """Raise PortInUse naming the port and its setting, ConfigError when two settings share a port."""
    owners: dict[int, str] = {}
    for name in PORTS:
        port, setting = getattr(settings, name), f"{PREFIX}{name.upper()}"
        if port in owners:
            raise ConfigError(
                f"{owners[port]} and {setting} are both {port}", hint="Give each a port of its own."
            )
        owners[port] = setting
    for listener in reserve(settings.host, {setting: port for port, setting in owners.items()}):
        listener.close()
