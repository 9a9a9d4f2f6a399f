"""Ports are had all together or not at all, and a taken one is named."""

from __future__ import annotations

import socket

import pytest

from awf.embedded.ports import reserve
from awf.errors import ConfigError, PortInUse

HOST = "127.0.0.1"


def test_sockets_come_in_order_and_listen() -> None:
    sockets = reserve(HOST, {"A": 0, "B": 0})
    ports = [sock.getsockname()[1] for sock in sockets]
    assert len(set(ports)) == 2
    for port in ports:
        socket.create_connection((HOST, port), timeout=5).close()
    for sock in sockets:
        sock.close()


def test_a_taken_port_is_named_with_its_setting_and_the_others_are_given_back() -> None:
    (taken,) = reserve(HOST, {"A": 0})
    port = taken.getsockname()[1]
    (probe,) = reserve(HOST, {"B": 0})
    free = probe.getsockname()[1]
    probe.close()
    with pytest.raises(PortInUse) as caught:
        reserve(HOST, {"AWF_LOKI_PORT": free, "AWF_GRAFANA_PORT": port})
    assert caught.value.message == f"port {port} (AWF_GRAFANA_PORT) is already in use on 127.0.0.1"
    assert "AWF_GRAFANA_PORT" in caught.value.hint
    (again,) = reserve(HOST, {"AWF_LOKI_PORT": free})
    again.close()
    taken.close()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7"])
def test_an_address_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(ConfigError, match=f"AWF_HOST={host}"):
        reserve(host, {"AWF_LOKI_PORT": 0})
