"""The ruler: evaluates every group on its interval, tells the notifier, remembers over restarts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from awf.core import semconv
from awf.core.clock import Clock, SystemClock
from awf.core.counters import Counters
from awf.embedded.contracts import Sink
from awf.embedded.ruler.alerts import AlertInstance, AlertState
from awf.embedded.ruler.evaluation import GroupState, InstantEngine, RuleState
from awf.embedded.ruler.labels import fingerprint, fnv1a64
from awf.embedded.ruler.notifier import Notifier, NotifyTimes
from awf.embedded.ruler.payload import Notified
from awf.embedded.ruler.rules import AlertRule, CheckExpr, RuleGroup, load_rules
from awf.embedded.ruler.silences import Silences
from awf.embedded.ruler.state import RulerState, StateFile
from awf.embedded.ruler.view import active_alerts, alert_json, group_json
from awf.embedded.ruler.webhook import Webhook
from awf.errors import DataDirError, NotFound

logger = logging.getLogger(__name__)

STOP_GRACE_S: Final = 1.0
"""How long evaluations under way may finish when the ruler stops."""


@dataclass(frozen=True, slots=True)
class RulerConfig:
    """What the ruler is told. Without `webhook_url` nothing is notified."""

    rules_dir: Path
    data_dir: Path
    grafana_url: str = "http://127.0.0.1:3000"
    webhook_url: str = ""
    webhook_secret: str = ""
    rule_interval_s: float = 5.0
    group_wait_s: float = 2.0
    group_interval_s: float = 60.0
    repeat_interval_s: float = 14_400.0


class Ruler:
    """Build it with `open`. `groups()` and `alerts()` are what the Prometheus API shows."""

    def __init__(
        self,
        config: RulerConfig,
        groups: Sequence[RuleGroup],
        saved: RulerState,
        *,
        engine: InstantEngine,
        sink: Sink,
        clock: Clock,
        counters: Counters,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.config = config
        self.group_states = tuple(GroupState(group, counters) for group in groups)
        self._engine = engine
        self._sink = sink
        self._clock = clock
        self._counters = counters
        self._state_file = StateFile(config.data_dir)
        self.silences = Silences(self.now_ms, saved.silences)
        self._webhook = (
            Webhook(
                config.webhook_url,
                config.webhook_secret,
                base_url=config.grafana_url,
                now_ms=self.now_ms,
                transport=transport,
            )
            if config.webhook_url
            else None
        )
        self._notifier = self._restore(saved)
        self._stopping = asyncio.Event()
        self._evaluating: list[asyncio.Task[None]] = []
        self._notifying: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        config: RulerConfig,
        *,
        engine: InstantEngine,
        sink: Sink,
        check_expr: CheckExpr,
        clock: Clock | None = None,
        counters: Counters | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> Ruler:
        """Read the rules (`check_expr` is `promql.parse`) and the saved state.

        Raises ConfigError for a wrong rule file or webhook address, DataDirError.
        """
        groups = await asyncio.to_thread(
            load_rules,
            config.rules_dir,
            default_interval_ms=_ms(config.rule_interval_s),
            check_expr=check_expr,
        )
        saved = await asyncio.to_thread(StateFile(config.data_dir).load)
        return cls(
            config,
            groups,
            saved,
            engine=engine,
            sink=sink,
            clock=clock or SystemClock(),
            counters=counters or Counters(),
            transport=transport,
        )

    def _restore(self, saved: RulerState) -> Notifier | None:
        now = self.now_ms()
        known = {rule.uid for rule, _ in self.alert_rules()}
        for rule, state in self.alert_rules():
            state.restore(saved.alerts.get(rule.uid, ()), max(0, now - saved.saved_at_ms))
        if self._webhook is None:
            return None
        config = self.config
        times = NotifyTimes(
            _ms(config.group_wait_s), _ms(config.group_interval_s), _ms(config.repeat_interval_s)
        )
        notifier = Notifier(times, self._webhook.deliver, self.silences, self._counters, groups=saved.groups)
        for uid in notifier.rule_uids() - known:
            notifier.update(uid, (), now)  # its rule is gone from the files: it ends
        return notifier

    def now_ms(self) -> int:
        """Return the clock's time in milliseconds."""
        return int(self._clock.now().timestamp() * 1000)

    async def try_contact_point(self, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
        """Send a test notification and return why it was not taken; nothing when it was. Raises NotFound."""
        if self._webhook is None:
            raise NotFound("there is no contact point", hint="Set a webhook address.")
        now = self.now_ms()
        found = AlertInstance(fingerprint(labels), labels, annotations, 1.0, AlertState.FIRING, now, now)
        return await self._webhook.try_out(Notified("", found))

    async def start(self) -> None:
        """Begin to evaluate and to notify."""
        self._evaluating = [asyncio.create_task(self._run_group(state)) for state in self.group_states]
        if self._notifier is not None:
            self._notifying = asyncio.create_task(self._run_notifier(self._notifier))

    async def stop(self) -> None:
        """Stop within about a second, and save."""
        self._stopping.set()
        if self._notifying is not None:
            self._notifying.cancel()
        tasks = [*self._evaluating, *([self._notifying] if self._notifying else [])]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_GRACE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self.save()
        if self._webhook is not None:
            await self._webhook.close()

    async def _run_group(self, state: GroupState) -> None:
        """Evaluate at fixed times: neither slow evaluations nor a clock that jumps shift them."""
        interval = state.group.interval_ms
        due = next_slot(state.group, self.now_ms())
        while not self._stopping.is_set():
            now = self.now_ms()
            if due - now > interval:  # the clock was set back
                due = next_slot(state.group, now)
            if due > now:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), (due - now) / 1000)
                continue
            missed = (now - due) // interval
            if missed:
                self._counters.add(semconv.RULER_EVALUATIONS_MISSED, missed, group=state.group.name)
                logger.warning("rule evaluations missed", extra={"group": state.group.name, "count": missed})
            due += missed * interval
            await self.evaluate(state, due)
            due += interval

    async def evaluate(self, state: GroupState, at_ms: int) -> None:
        """Evaluate one group at one moment, hand its alerts to the notifier and save."""
        await state.evaluate(self._engine, self._sink, at_ms)
        for item in state.rules:
            if self._notifier is not None and isinstance(item.rule, AlertRule):
                self._notifier.update(item.rule.uid, item.active.values(), at_ms)
        await self.save()

    async def _run_notifier(self, notifier: Notifier) -> None:
        while True:
            notifier.changed.clear()
            await self.notify()
            due = notifier.next_due_ms
            wait_s = 1.0 if due is None else min(1.0, max(0.0, (due - self.now_ms()) / 1000))
            with suppress(TimeoutError):
                await asyncio.wait_for(notifier.changed.wait(), wait_s)

    async def notify(self) -> None:
        """Send what is due now, and save what was sent."""
        if self._notifier is not None and await self._notifier.flush_due(self.now_ms()):
            await self.save()

    async def save(self) -> None:
        """Write the state file; a disk that refuses is logged, evaluation goes on."""
        alerts = {
            rule.uid: tuple(state.active.values()) for rule, state in self.alert_rules() if state.active
        }
        groups = dict(self._notifier.groups) if self._notifier is not None else {}
        state = RulerState(self.now_ms(), alerts, groups, tuple(self.silences.all()))
        try:
            await self._state_file.save(state)
        except DataDirError as error:
            logger.error("ruler state not saved", extra={"error": error.message})  # noqa: TRY400 - expected

    def alert_rules(self) -> list[tuple[AlertRule, RuleState]]:
        """Return every alert rule with its state."""
        return [
            (state.rule, state)
            for group in self.group_states
            for state in group.rules
            if isinstance(state.rule, AlertRule)
        ]

    def groups(self) -> list[dict[str, Any]]:
        """Return the groups in the shape of Prometheus' `/api/v1/rules`."""
        return [group_json(state) for state in self.group_states]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the pending and firing alerts in the shape of Prometheus' `/api/v1/alerts`."""
        return [alert_json(alert) for _, state in self.alert_rules() for alert in active_alerts(state)]


def next_slot(group: RuleGroup, now_ms: int) -> int:
    """Return the next time to evaluate. Groups have fixed offsets within their interval (a hash of the
    name), so that they spread, and so that recorded samples keep their rhythm over restarts."""
    offset = fnv1a64(f"{group.file};{group.name}".encode()) % group.interval_ms
    return now_ms - (now_ms - offset) % group.interval_ms + group.interval_ms


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
