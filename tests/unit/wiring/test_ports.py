"""Ports: one that is taken or given twice is named before anything starts; free ones stay free."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from awf.errors import ConfigError, PortInUse
from awf.settings import Settings, load
from awf.wiring.ports import PORTS, require_free
from tests.unit.cli._program import HOST, free_ports


def _settings(**changes: Any) -> Settings:
    ports = {name.removeprefix("AWF_").lower(): port for name, port in free_ports().items()}
    return load(**{"host": HOST, **ports, **changes})


def test_every_port_of_the_settings_is_looked_at() -> None:
    assert set(PORTS) == {name for name in Settings.model_fields if name.endswith("_port")}


def test_free_ports_pass_and_are_given_back() -> None:
    settings = _settings()
    require_free(settings)
    require_free(settings)


@pytest.mark.parametrize("name", PORTS)
def test_a_port_in_use_is_named_with_its_setting(name: str) -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            require_free(_settings(**{name: port}))
    assert f"port {port} (AWF_{name.upper()})" in caught.value.message
    assert HOST in caught.value.message
    assert f"AWF_{name.upper()}" in caught.value.hint


def test_after_a_refusal_the_other_ports_are_free_again() -> None:
    with socket.create_server((HOST, 0)) as listener:
        settings = _settings(**{PORTS[-1]: listener.getsockname()[1]})
        with pytest.raises(PortInUse):
            require_free(settings)
    require_free(settings)


def test_one_port_for_two_settings_names_both() -> None:
    settings = _settings()
    with pytest.raises(ConfigError, match=f"AWF_LOKI_PORT and AWF_TEMPO_PORT are both {settings.loki_port}"):
        require_free(settings.model_copy(update={"tempo_port": settings.loki_port}))


def test_an_address_that_this_machine_does_not_have_is_named() -> None:
    with pytest.raises(ConfigError, match=r"AWF_HOST=192\.0\.2\.1"):
        require_free(_settings(host="192.0.2.1"))
