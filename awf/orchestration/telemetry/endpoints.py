"""Where telemetry goes and how, as OpenTelemetry's environment variables say it.

A variable of one signal (`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) goes before the common one. Timeouts are in
seconds, as in OpenTelemetry's Python SDK.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from awf.errors import ConfigError

TRACES, METRICS, LOGS = "traces", "metrics", "logs"
SIGNALS = (TRACES, METRICS, LOGS)
TIMEOUT_S = 10.0
_PREFIX = "OTEL_EXPORTER_OTLP_"
_PORTS = {"grpc": 4317, "http/protobuf": 4318}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One signal's collector. `url` is complete for HTTP, scheme://host:port for gRPC."""

    signal: str
    protocol: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    use_gzip: bool = False
    timeout_s: float = TIMEOUT_S
    certificate: Path | None = None
    client_key: Path | None = None
    client_certificate: Path | None = None
    is_wanted: bool = True  # False: OTEL_LOGS_EXPORTER=none and the like

    @property
    def is_secure(self) -> bool:
        return self.url.startswith("https://")


def endpoint_for(
    signal: str, environ: Mapping[str, str], *, endpoint: str = "", protocol: str = ""
) -> Endpoint:
    """Return where a signal goes; arguments go before the environment. Raises ConfigError."""

    def read(name: str) -> str:
        return environ.get(f"{_PREFIX}{signal.upper()}_{name}", "") or environ.get(f"{_PREFIX}{name}", "")

    protocol = protocol or read("PROTOCOL") or "grpc"
    if protocol not in _PORTS:
        raise ConfigError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}, expected grpc or http/protobuf")
    exporter = environ.get(f"OTEL_{signal.upper()}_EXPORTER", "") or "otlp"
    if exporter not in {"otlp", "none"}:
        raise ConfigError(f"OTEL_{signal.upper()}_EXPORTER is {exporter!r}, expected otlp or none")
    compression = read("COMPRESSION") or "none"
    if compression not in {"none", "gzip"}:
        raise ConfigError(f"OTEL_EXPORTER_OTLP_COMPRESSION is {compression!r}, expected gzip or none")
    return Endpoint(
        signal,
        protocol,
        _url(signal, environ, endpoint, protocol),
        headers=_headers(read("HEADERS")),
        use_gzip=compression == "gzip",
        timeout_s=_seconds(read("TIMEOUT")),
        certificate=_file(read("CERTIFICATE"), "CERTIFICATE"),
        client_key=_file(read("CLIENT_KEY"), "CLIENT_KEY"),
        client_certificate=_file(read("CLIENT_CERTIFICATE"), "CLIENT_CERTIFICATE"),
        is_wanted=exporter == "otlp",
    )


def endpoints_from(
    environ: Mapping[str, str], *, endpoint: str = "", protocol: str = ""
) -> dict[str, Endpoint]:
    """Return where each signal goes. Raises ConfigError."""
    return {s: endpoint_for(s, environ, endpoint=endpoint, protocol=protocol) for s in SIGNALS}


def resource_of(
    environ: Mapping[str, str], service_name: str, instance_id: str = ""
) -> tuple[dict[str, str], bool]:
    """Return the resource attributes, and whether the instance id among them was given from outside."""
    given = dict(_pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""), "OTEL_RESOURCE_ATTRIBUTES"))
    if instance_id:
        given["service.instance.id"] = instance_id
    is_instance_given = bool(given.get("service.instance.id"))
    name = service_name or environ.get("OTEL_SERVICE_NAME", "") or given.get("service.name", "awf")
    made = {
        "service.name": name,
        # Without it two processes of one name would write into each other's series.
        "service.instance.id": given.get("service.instance.id", "")
        or f"{socket.gethostname()}-{secrets.token_hex(4)}",
        "telemetry.sdk.name": "awf",
        "telemetry.sdk.language": "python",
    }
    return {**given, **made}, is_instance_given


def _url(signal: str, environ: Mapping[str, str], endpoint: str, protocol: str) -> str:
    own = environ.get(f"{_PREFIX}{signal.upper()}_ENDPOINT", "") if not endpoint else ""
    url = endpoint or own or environ.get(f"{_PREFIX}ENDPOINT", "") or f"http://127.0.0.1:{_PORTS[protocol]}"
    if "://" not in url:
        url = f"http://{url}"
    parts = urlsplit(url)
    try:
        is_usable = bool(parts.hostname) and parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigError(
            f"the OTLP endpoint {url!r} is no address", hint="Write it as http://collector:4317."
        )
    if protocol == "grpc":
        return f"{parts.scheme}://{parts.netloc}"
    # The specification: the common endpoint is a base, that of one signal is used as it is.
    return url if own else f"{url.rstrip('/')}/v1/{signal}"


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    found = tuple((name.lower(), value) for name, value in _pairs(text, f"{_PREFIX}HEADERS"))
    for name, value in found:
        if not (name + value).isascii() or not (name + value).isprintable():
            raise ConfigError(
                f"{_PREFIX}HEADERS gives {name!r} a value that no header can have",
                hint="Headers are printable ASCII.",
            )
    return found


def _pairs(text: str, variable: str) -> list[tuple[str, str]]:
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            # The value is not shown: headers carry credentials.
            raise ConfigError(
                f"{variable} has a part without a name or '='", hint="Write name=value,name=value."
            )
        found.append((unquote(name.strip()), unquote(value.strip())))
    return found


def _seconds(text: str) -> float:
    if not text:
        return TIMEOUT_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 3600:
        raise ConfigError(f"{_PREFIX}TIMEOUT is {text!r}, expected seconds between 0 and 3600")
    return seconds


def _file(text: str, name: str) -> Path | None:
    if not text:
        return None
    path = Path(text)
    if not path.is_file():
        raise ConfigError(f"{_PREFIX}{name} names {text!r}, which is no file")
    return path
