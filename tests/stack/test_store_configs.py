"""The stack's configs as text: what holds without any of the programs. `native` runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/stack-configs.md").read_text(encoding="utf-8")
STORES = {name: ROOT / f"docker/{name}/{name}.yaml" for name in ("mimir", "loki", "tempo")}
ALLOY = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "alloy").glob("*.alloy"))}
# Mimir writes a default with one colon, Loki and Tempo with two characters.
VARIABLE = re.compile(r"\$\{(\w+):-?([^}]*)\}")
IN_ALLOY = re.compile(r'coalesce\(sys\.env\("(\w+)"\), "([^"]*)"\)|sys\.env\("(\w+)"\)')


def documented() -> dict[str, str]:
    """Return the page's variables with their defaults."""
    return {
        name: default.strip("`")
        for name, default in re.findall(r"^\| `(\w+)` \| (`[^`]*`|) *\|", PAGE, re.MULTILINE)
    }


def used() -> dict[str, str]:
    """Return the variables of all files with their defaults. Fails where one has two defaults."""
    found: dict[str, str] = {}
    pairs = [pair for path in STORES.values() for pair in VARIABLE.findall(path.read_text(encoding="utf-8"))]
    for text in ALLOY.values():
        code = "\n".join(
            line.split("//")[0] if line.lstrip().startswith("//") else line for line in text.splitlines()
        )
        pairs += [(one or other, default) for one, default, other in IN_ALLOY.findall(code)]
    for name, default in pairs:
        assert found.setdefault(name, default) == default, f"{name} has two defaults"
    return found


def config(store: str) -> dict[str, Any]:
    """Return a store's config with every variable at its default."""
    text = VARIABLE.sub(r"\2", STORES[store].read_text(encoding="utf-8"))
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, path)
    else:
        yield path, node


def test_the_page_has_every_variable_with_its_default_and_no_other() -> None:
    assert documented() == used()


def test_every_program_has_ports_of_its_own_so_that_all_run_on_one_machine() -> None:
    ports = [value for name, value in used().items() if name.endswith("_PORT")]
    ports += [
        value.rpartition(":")[2]
        for name, value in used().items()
        if re.fullmatch(r"ALLOY_OTLP_\w+_ADDRESS", name)
    ]
    assert len(ports) == len(set(ports)) > 10, ports


@pytest.mark.parametrize(("store", "root"), [("mimir", "/data"), ("loki", "/loki"), ("tempo", "/var/tempo")])
def test_a_store_writes_below_its_data_directory_only(store: str, root: str) -> None:
    paths = {path: value for path, value in leaves(config(store)) if str(value).startswith("/")}
    rules = {value for value in paths.values() if value.endswith("/rules") and value.startswith("/etc/")}
    outside = {
        path: value
        for path, value in paths.items()
        if value not in rules and not f"{value}/".startswith(f"{root}/")
    }
    assert outside == {}


def test_all_stores_keep_data_for_30_days() -> None:
    mimir, loki, tempo = config("mimir"), config("loki"), config("tempo")
    assert mimir["limits"]["compactor_blocks_retention_period"] == "30d"
    assert loki["limits_config"]["retention_period"] == "720h"
    assert loki["compactor"]["retention_enabled"]
    assert tempo["backend_worker"]["compaction"]["block_retention"] == "720h"
    assert tempo["backend_scheduler"]["provider"]["compaction"]["compaction"]["block_retention"] == "720h"


def test_late_metrics_and_logs_have_6_hours_and_traces_7_days() -> None:
    assert config("mimir")["limits"]["out_of_order_time_window"] == "6h"
    assert config("loki")["ingester"]["max_chunk_age"] == "12h"  # half of it is what a line may be late
    tempo = config("tempo")
    assert tempo["live_store"]["wal"]["ingestion_time_range_slack"] == "168h"
    assert tempo["storage"]["trace"]["wal"]["ingestion_time_range_slack"] == "168h"


def test_nothing_is_told_to_the_makers() -> None:
    assert config("mimir")["usage_stats"]["enabled"] is False
    assert config("loki")["analytics"]["reporting_enabled"] is False
    assert config("tempo")["usage_report"]["reporting_enabled"] is False


def test_every_ring_of_mimir_is_in_memory_and_reaches_itself_over_loopback() -> None:
    found = config("mimir")
    parts = ("distributor", "ingester", "querier", "ruler")
    rings = [found[part]["ring"] for part in parts]
    rings += [found[part]["sharding_ring"] for part in ("store_gateway", "compactor")]
    assert all(ring["kvstore"]["store"] == "inmemory" for ring in rings)
    assert all(ring["instance_addr"] == "127.0.0.1" for ring in rings)
    assert found["memberlist"]["bind_addr"] == ["127.0.0.1"]


def test_every_exporter_of_alloy_has_a_queue_on_disk_and_never_gives_up() -> None:
    text = ALLOY["config.alloy"]
    exporters = re.findall(
        r'^otelcol\.exporter\.otlphttp "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL
    )
    assert [name for name, _ in exporters] == ["mimir", "loki", "tempo"]
    for _, body in exporters:
        assert re.search(r'max_elapsed_time = "0s"', body)
        assert re.search(r"storage +\= otelcol\.storage\.file\.queue\.handler", body)
        assert re.search(r"block_on_overflow = true", body)
    assert "otelcol.processor.batch" not in text, "it would hold in memory what was acknowledged"
