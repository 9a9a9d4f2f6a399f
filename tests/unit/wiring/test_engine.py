"""`AWF_WORKFLOWS=module:registry`: loaded, or refused in one sentence with the value."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from awf.errors import ConfigError
from awf.orchestration import Registry
from awf.wiring.engine import load_registry


@pytest.fixture(autouse=True)
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "flows_of_a_user.py").write_text(
        "from awf.orchestration import Registry\n"
        "registry = Registry()\n"
        "def build():\n    return registry\n"
        "number = 5\n"
    )
    (tmp_path / "flows_that_need_more.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("flows_of_a_user", None)


@pytest.mark.parametrize("name", ["registry", "build"])
def test_a_registry_or_a_function_that_returns_one_is_loaded(name: str) -> None:
    assert isinstance(load_registry(f"flows_of_a_user:{name}"), Registry)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("flows_of_a_user", "expected module:registry"),
        ("flows_of_a_user:", "expected module:registry"),
        ("flows_of_nobody:registry", "cannot be loaded: No module named 'flows_of_nobody'"),
        ("flows_of_a_user:nothing", "cannot be loaded: .* has no attribute 'nothing'"),
        ("flows_that_need_more:x", "cannot be loaded: No module named 'a_package_that_nobody_has'"),
        ("flows_of_a_user:number", "is a int, expected awf\\.orchestration\\.Registry"),
    ],
)
def test_anything_else_is_refused_with_the_value(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"^AWF_WORKFLOWS='{text}':? .*{sentence}"):
        load_registry(text)
