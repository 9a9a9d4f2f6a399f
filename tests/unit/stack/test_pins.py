from __future__ import annotations

import re
from pathlib import Path

import pytest

from awf.errors import ConfigError
from awf.stack.pins import Pin, read_pins


def test_an_image_is_split_into_name_tag_and_digest() -> None:
    assert Pin.parse("grafana/loki:3.7.8") == Pin("grafana/loki", "3.7.8")
    assert Pin.parse("host:5000/loki:3@sha256:ab") == Pin("host:5000/loki", "3", "sha256:ab")


@pytest.mark.parametrize("text", ["grafana/loki", "host:5000/loki", "loki:"])
def test_an_image_without_a_tag_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="has no tag"):
        Pin.parse(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("services: {}", "has no block x-images"),
        ("x-images: [a]", "has no block x-images"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_file_without_versions_is_named(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(f"compose.yaml {what}")):
        read_pins(path)


def test_a_file_that_is_not_there_is_named_with_the_option() -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml cannot be read") as error:
        read_pins(Path("nothing.yaml"))
    assert "--file" in error.value.hint
