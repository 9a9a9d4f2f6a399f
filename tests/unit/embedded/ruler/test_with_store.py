"""The ruler over the real PromQL engine and the real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from awf.core.counters import Counters
from awf.embedded import promql
from awf.embedded.model import Samples
from awf.embedded.ruler import Ruler, RulerConfig, evaluation
from awf.embedded.ruler.rules import load_rules
from awf.embedded.store import MemoryStore
from awf.errors import ConfigError

from .conftest import SECRET, START_MS, FakeClock, Receiver

REPOSITORY = Path(__file__).parents[4]

RULES = """
groups:
- name: agents
  rules:
  - record: agent:failed:ratio
    expr: sum by (agent_id) (rate(failed_total[1m])) / sum by (agent_id) (rate(calls_total[1m]))
  - alert: AwfAgentErrors
    expr: agent:failed:ratio > 0.3
    for: 10s
    annotations: {summary: "{{ $labels.agent_id }} fails {{ $value | humanizePercentage }}"}
  - alert: AwfScalar
    expr: time()
"""


@pytest.fixture
def store() -> AsyncIterator[MemoryStore]:
    store = MemoryStore()
    yield store
    store.close()


async def write(store: MemoryStore, at_ms: int, failed: float) -> None:
    samples = [("calls_total", "writer", 10.0), ("calls_total", "editor", 10.0),
               ("failed_total", "writer", failed), ("failed_total", "editor", 0.0)]  # fmt: skip
    elapsed = (at_ms - START_MS) / 1000
    await store.write(
        samples=Samples.of(
            [({"__name__": name, "agent_id": agent}, at_ms, rate * elapsed) for name, agent, rate in samples]
        )
    )


async def open_ruler(
    tmp_path: Path, rules: str, store: MemoryStore, clock: FakeClock, receiver: Receiver
) -> Ruler:
    (tmp_path / "alerts").mkdir(exist_ok=True)
    (tmp_path / "alerts" / "agents.yaml").write_text(rules)
    config = RulerConfig(tmp_path, tmp_path, webhook_url="http://watcher.test/", webhook_secret=SECRET)
    return await Ruler.open(
        config, engine=promql.Engine(store), sink=store, check_expr=promql.parse, clock=clock,
        counters=Counters(), transport=receiver,
    )  # fmt: skip


async def test_stored_samples_become_a_recorded_series_an_alert_and_a_webhook(tmp_path, store) -> None:
    clock = FakeClock()
    receiver = Receiver(clock)
    ruler = await open_ruler(tmp_path, RULES, store, clock, receiver)
    engine = promql.Engine(store)
    for _ in range(16):  # 75 s of failures, one evaluation every 5 s
        clock.ms += 5000
        await write(store, clock.ms, failed=5.0)
        for group in ruler.group_states:
            await ruler.evaluate(group, clock.ms)
        await ruler.notify()
    assert [rule["health"] for rule in ruler.groups()[0]["rules"]] == ["ok", "ok", "ok"]
    recorded = engine.instant("agent:failed:ratio", clock.ms)
    assert {sample.labels["agent_id"]: round(sample.value, 6) for sample in recorded} == {
        "writer": 0.5, "editor": 0.0,
    }  # fmt: skip
    alerts = engine.instant('ALERTS{alertstate="firing", agent_id!=""}', clock.ms)
    assert [sample.labels["agent_id"] for sample in alerts] == ["writer"]
    assert engine.instant('ALERTS{alertstate="pending"}', clock.ms) == []  # the stale marker ended it
    bodies = {body["groupLabels"]["alertname"]: body for body in receiver.take()}
    assert set(bodies) == {"AwfAgentErrors", "AwfScalar"}
    assert bodies["AwfAgentErrors"]["commonAnnotations"]["summary"] == "writer fails 50%"
    await ruler.stop()


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        ("sum by (", "unclosed left parenthesis"),
        ("histogram_sum(x)", "histogram_sum"),
        ("x{", "unexpected end of input inside braces"),
    ],
)
async def test_wrong_expression_is_named_when_rules_load(tmp_path, store, expr: str, message: str) -> None:
    rules = f"groups: [{{name: g, rules: [{{alert: A, expr: {expr!r}}}]}}]"
    clock = FakeClock()
    with pytest.raises(ConfigError, match=rf"agents.yaml, group 'g', rule 1 \(A\), field 'expr'.*{message}"):
        await open_ruler(tmp_path, rules, store, clock, Receiver(clock))


async def test_expression_without_a_vector_is_an_error_of_the_rule(tmp_path, store) -> None:
    rules = "groups: [{name: g, rules: [{alert: A, expr: 'up[5m]'}, {alert: B, expr: '\"text\"'}]}]"
    clock = FakeClock()
    await store.write(samples=Samples.of([({"__name__": "up"}, clock.ms - 1000, 1.0)]))
    ruler = await open_ruler(tmp_path, rules, store, clock, Receiver(clock))
    await ruler.evaluate(ruler.group_states[0], clock.ms)
    assert [rule["health"] for rule in ruler.groups()[0]["rules"]] == ["err", "err"]
    await ruler.stop()


async def test_running_ruler_evaluates_by_itself_and_stops_at_once(tmp_path, store) -> None:
    rules = "groups: [{name: g, interval: 50ms, rules: [{record: a, expr: vector(1)}]}]"
    (tmp_path / "alerts").mkdir()
    (tmp_path / "alerts" / "g.yaml").write_text(rules)
    ruler = await Ruler.open(
        RulerConfig(tmp_path, tmp_path), engine=promql.Engine(store), sink=store, check_expr=promql.parse
    )
    await ruler.start()
    async with asyncio.timeout(20):
        while store.stats().samples < 3:
            await asyncio.sleep(0.02)
        await ruler.stop()
    assert (tmp_path / "ruler.json").exists()


def test_generated_rules_load_with_our_own_parser() -> None:
    groups = load_rules(REPOSITORY / "rules", default_interval_ms=5000, check_expr=promql.parse)
    assert groups
    uids = [rule.uid for group in groups for rule in group.rules if hasattr(rule, "uid")]
    assert "awf_agent_errors" in uids
    assert len(uids) == len(set(uids))


async def test_a_rule_that_takes_too_long_is_an_error_of_the_rule(
    tmp_path, store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "TIMEOUT_S", -1.0)
    clock = FakeClock()
    rules = "groups: [{name: g, rules: [{alert: A, expr: 'up == 0'}]}]"
    ruler = await open_ruler(tmp_path, rules, store, clock, Receiver(clock))
    await ruler.evaluate(ruler.group_states[0], clock.ms)
    (rule,) = ruler.groups()[0]["rules"]
    assert rule["health"] == "err"
    assert "query timed out" in rule["lastError"]
    await ruler.stop()
