from __future__ import annotations

from pathlib import Path

import pytest

from awf.errors import ConfigError
from awf.settings import Settings, check_names, load


def test_a_misspelt_setting_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"AWF_DATADIR \(did you mean AWF_DATA_DIR\?\)"):
        check_names({"AWF_DATADIR": "/tmp", "PATH": "/bin"})


def test_variables_for_tests_are_exempt_from_the_name_check() -> None:
    check_names({"AWF_TEST_ANYTHING": "1", "AWF_API_PORT": "8000"})


def test_a_wrong_value_names_the_variable_and_the_value() -> None:
    with pytest.raises(ConfigError, match=r"AWF_API_PORT='seventy'.*valid integer"):
        load(api_port="seventy")


def test_a_port_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"AWF_API_PORT=70000"):
        load(api_port=70000)


@pytest.mark.parametrize(
    "address",
    ["awf.example.com", "awf.example.com:8000", "ftp://awf.example.com", "https://", "https://:8000", "//awf.example.com",
     "https://awf.example.com:port", "https://[::1", "https://awf example.com", "https://awf.example.com\n",
     "javascript:alert(1)", "https://u:p@awf.example.com", "https://awf.example.com/?a=1", "https://awf.example.com/#a"],
)  # fmt: skip
def test_a_public_address_that_no_browser_would_follow_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"AWF_PUBLIC_URL=.*expected an address"):
        load(public_url=address)


@pytest.mark.parametrize(
    "address", ["", "http://127.0.0.1:8000", "https://awf.example.com/awf/", "http://[::1]:80"]
)
def test_a_public_address_may_have_port_and_path(address: str) -> None:
    assert load(public_url=address).public_url == address


def test_addresses_follow_host_and_ports_unless_given() -> None:
    settings = load(host="127.0.0.9", api_port=1234)
    assert settings.api_base == "http://127.0.0.9:1234"
    assert load(api_url="http://awf:8000").public_base == "http://awf:8000"


@pytest.mark.parametrize(
    ("host", "base", "is_loopback"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000", True),
        ("127.1.2.3", "http://127.1.2.3:8000", True),
        ("localhost", "http://localhost:8000", True),
        ("::1", "http://[::1]:8000", True),
        ("0.0.0.0", "http://127.0.0.1:8000", False),
        ("::", "http://[::1]:8000", False),
        ("10.0.0.5", "http://10.0.0.5:8000", False),
        ("awf.internal", "http://awf.internal:8000", False),
    ],
)
def test_what_binds_to_everything_is_reached_here_and_is_not_loopback(
    host: str, base: str, is_loopback: bool
) -> None:
    settings = load(host=host)
    assert (settings.api_base, settings.is_loopback) == (base, is_loopback)


def test_a_password_in_a_database_url_does_not_show_when_settings_are_printed() -> None:
    assert "s3cret" not in repr(load(database_url="postgresql://awf:s3cret@host/awf"))


def test_a_secret_comes_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    assert load(webhook_secret_file=path).secret("webhook_secret") == "s3cret"


def test_an_unreadable_secret_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"AWF_TOKEN_FILE=.*cannot be read"):
        load(token_file=tmp_path / "nothing").secret("token")


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "is empty"), (b" \n", "is empty"), (b"\xff", "it is not text")]
)
def test_a_secret_file_without_a_secret_is_told_and_not_taken_for_none(
    tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"AWF_WEBHOOK_SECRET_FILE=.*{why}"):
        load(webhook_secret_file=path).secret("webhook_secret")


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    assert "s3cret" not in repr(load(webhook_secret="s3cret"))


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
