"""OpenTelemetry's environment variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from awf.errors import ConfigError
from awf.orchestration.telemetry.endpoints import endpoint_for, endpoints_from, resource_of

BASE, OWN = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
HTTP = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://127.0.0.1:4317"),
        (HTTP, "http://127.0.0.1:4318/v1/logs"),
        ({BASE: "collector:4317"}, "http://collector:4317"),
        ({BASE: "https://collector/"}, "https://collector"),
        ({**HTTP, BASE: "http://c:4318/otlp/"}, "http://c:4318/otlp/v1/logs"),
        (
            {**HTTP, BASE: "http://c:4318", OWN: "http://loki:3100/otlp/v1/logs"},
            "http://loki:3100/otlp/v1/logs",
        ),
        ({BASE: "http://c:4317", OWN: "http://d:4317"}, "http://d:4317"),
    ],
)
def test_addresses_are_those_that_the_specification_makes_of_the_variables(
    environ: dict[str, str], url: str
) -> None:
    assert endpoint_for("logs", environ).url == url


def test_an_argument_goes_before_every_variable() -> None:
    environ = {**HTTP, BASE: "http://c:4318", OWN: "http://d:4318/logs"}
    assert endpoint_for("logs", environ, endpoint="http://e:1").url == "http://e:1/v1/logs"
    assert endpoint_for("logs", environ, endpoint="http://e:1", protocol="grpc").url == "http://e:1"


def test_signals_may_differ() -> None:
    found = endpoints_from(
        {"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2.5"}
    )
    assert (found["metrics"].protocol, found["traces"].protocol) == ("http/protobuf", "grpc")
    assert (found["traces"].timeout_s, found["logs"].timeout_s) == (2.5, 10.0)


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({BASE: "http://"}, "'http://' is no address"),
        ({BASE: "ftp://c"}, "'ftp://c' is no address"),
        ({BASE: "http://c:99999"}, "is no address"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "PROTOCOL is 'http/json'"),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, "COMPRESSION is 'zstd'"),
        ({"OTEL_LOGS_EXPORTER": "console"}, "OTEL_LOGS_EXPORTER is 'console'"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "TIMEOUT is 'soon'"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "0"}, "TIMEOUT is '0'"),
        ({"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere.pem"}, "CERTIFICATE names '/nowhere.pem'"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "authorization"}, "HEADERS has a part without a name or '='"),
        (
            {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20\u20ac"},
            "HEADERS gives 'authorization' a value",
        ),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "authorization=a%0Ab"}, "HEADERS gives 'authorization' a value"),
    ],
)
def test_what_cannot_be_used_is_named(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        endpoint_for("logs", environ)


def test_credentials_are_not_shown_in_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        endpoint_for("logs", {"OTEL_EXPORTER_OTLP_HEADERS": "hunter2"})
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_files_and_headers_are_read(tmp_path: Path) -> None:
    pem = tmp_path / "ca.pem"
    pem.write_text("")
    found = endpoint_for(
        "traces",
        {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(pem), "OTEL_EXPORTER_OTLP_HEADERS": "A=1, b = x%2Cy ,"},
    )
    assert (found.certificate, found.headers) == (pem, (("a", "1"), ("b", "x,y")))


def test_the_resource_has_a_name_and_an_instance_of_its_own() -> None:
    one, is_given = resource_of({}, "")
    other, _ = resource_of({}, "")
    assert one["service.name"] == "awf"
    assert not is_given
    assert one["service.instance.id"] != other["service.instance.id"]
    named, is_given = resource_of(
        {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,service.instance.id=i,k=v"}, ""
    )
    assert (named["service.name"], named["service.instance.id"], named["k"], is_given) == (
        "a",
        "i",
        "v",
        True,
    )
    assert (
        resource_of({"OTEL_SERVICE_NAME": "b", "OTEL_RESOURCE_ATTRIBUTES": "service.name=a"}, "")[0][
            "service.name"
        ]
        == "b"
    )
    assert resource_of({"OTEL_SERVICE_NAME": "b"}, "c")[0]["service.name"] == "c"


def test_an_empty_instance_id_is_none() -> None:
    resource, is_given = resource_of({"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id="}, "")
    assert resource["service.instance.id"]
    assert not is_given


def test_an_instance_given_as_argument_goes_before_the_environment() -> None:
    environ = {"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=pod-7,team=blue"}
    resource, is_given = resource_of(environ, "", "worker-1")
    assert (resource["service.instance.id"], resource["team"], is_given) == ("worker-1", "blue", True)
