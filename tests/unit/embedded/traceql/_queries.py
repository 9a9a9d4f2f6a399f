"""Seeded TraceQL over the traces of `_telemetry`: searches and metrics queries."""

from __future__ import annotations

import random
from collections.abc import Iterator

COMPARISONS = ("=", "!=", ">", "<", ">=", "<=")
STRUCTURAL = (">", ">>", "<", "<<", "~", "!>", "!>>", "!<", "!<<", "!~", "&>", "&<", "&~")
STRINGS = {
    "name": ("awf.workflow", "awf.step", "chat small", "nothing"),
    "span:name": ("awf.agent.invoke", "GET /bills"),
    "rootName": ("awf.workflow",),
    "rootServiceName": ("gateway", "agents"),
    "statusMessage": ("gave up", ""),
    "resource.service.name": ("gateway", "agents", "billing", "none"),
    "resource.deployment.environment.name": ("prod", "dev"),
    ".service.name": ("billing",),
    "span.agent_id": ("searcher", "writer"),
    ".agent_id": ("critic",),
    ".shared": ("span-1", "resource-agents"),
    "resource.shared": ("resource-billing",),
    "span.mixed": ("two",),
    "event:name": ("exception", "retry"),
    "event.exception.type": ("RateLimited", "Timeout"),
    "link.kind": ("retry", "fallback"),
    "instrumentation:name": ("awf", "http"),
    "instrumentation:version": ("0.1.0", "1.0"),
    "span.tags": ("a", "b"),
}
PATTERNS = {
    "name": ("awf.*", ".*a.*", "chat|GET.*"),
    "resource.service.name": ("a.*", "gate|bill.*"),
    "span.agent_id": ("[sw].*", ".*er"),
    "event:name": ("exc.*",),
}
NUMBERS = {
    "span.attempt": ("1", "2", "3"),
    ".attempt": ("2",),
    "span.tokens": ("0", "7", "100", "200"),
    "span.cost_usd": ("0.25", "0.5", "1.0"),
    "resource.replicas": ("1", "2"),
    "duration": ("1ms", "40ms", "1s", "5s", "3500us"),
    "trace:duration": ("500ms", "2s", "7s"),
    "event.code": ("429", "500"),
    "event:timeSinceStart": ("2ms", "3ms"),
    "span:childCount": ("0", "1", "2"),
    "span.sizes": ("1", "5"),
    "span.mixed": ("1", "2.5"),
}
ENUMS = {
    "status": ("error", "ok", "unset"),
    "span:status": ("error",),
    "kind": ("client", "server", "internal", "unspecified", "producer", "consumer"),
    "span.dry_run": ("true", "false"),
    "span.mixed": ("true",),
}
OPTIONAL = (
    "span.agent_id", "span.tokens", ".shared", "resource.deployment.environment.name", "span.tags",
    "event.exception.type", "link.kind", ".attempt",
)  # fmt: skip
GROUPS = (
    "name", "status", "kind", "resource.service.name", "span.agent_id", "span.attempt", "span.dry_run",
    "resource.deployment.environment.name", ".agent_id", "span.cost_usd", ".shared", "statusMessage",
    "instrumentation:name", "span.mixed", "event:name", "event.code",
)  # fmt: skip
MEASURED = ("duration", "span.tokens", "span.attempt", "span.cost_usd", "resource.replicas")


class Queries:
    """Draws queries; equal seeds draw equal ones."""

    def __init__(self, seed: int) -> None:
        self._pick = random.Random(seed)

    def searches(self, count: int) -> Iterator[str]:
        return (self.pipeline() for _ in range(count))

    def metrics(self, count: int) -> Iterator[str]:
        return (self.metric() for _ in range(count))

    def condition(self) -> str:
        pick = self._pick
        kind = pick.randrange(10)
        if kind < 3:
            field = pick.choice(list(STRINGS))
            return f'{field} {pick.choice(("=", "=", "!=", "<", ">="))} "{pick.choice(STRINGS[field])}"'
        if kind < 4:
            field = pick.choice(list(PATTERNS))
            return f'{field} {pick.choice(("=~", "!~"))} "{pick.choice(PATTERNS[field])}"'
        if kind < 7:
            field = pick.choice(list(NUMBERS))
            return f"{field} {pick.choice(COMPARISONS)} {pick.choice(NUMBERS[field])}"
        if kind < 8:
            field = pick.choice(list(ENUMS))
            return f"{field} {pick.choice(('=', '!='))} {pick.choice(ENUMS[field])}"
        if kind < 9:
            return f"{pick.choice(OPTIONAL)} {pick.choice(('!= nil', '!= nil', '= nil'))}"
        return pick.choice(
            (
                "span.attempt * 100 < span.tokens",
                "span.tokens + 5 > 100",
                "span.tokens % 2 = 1",
                "span.attempt ^ 2 = 4",
                "span.cost_usd ^ 2 < 1.0",
                "2 < span.attempt",
                "span.dry_run",
                "!(span.attempt = 2)",
                "span.attempt / 2 > 1.2",
                "span.shared = .shared",
                "span.tokens >= span.attempt",
                "span.tokens - span.attempt * 2 > 3",
            )
        )

    def filter(self) -> str:
        pick = self._pick
        count = pick.choice((0, 1, 1, 1, 2, 2, 3))
        conditions = [self.condition() for _ in range(count)]
        if count < 3:
            return "{ " + pick.choice((" && ", " && ", " || ")).join(conditions) + " }"
        return f"{{ ({conditions[0]} || {conditions[1]}) && {conditions[2]} }}"

    def spanset(self, depth: int = 2) -> str:
        pick = self._pick
        if depth == 0 or pick.random() < 0.5:
            return self.filter()
        op = pick.choice(("&&", "||", *STRUCTURAL))
        left, right = self.spanset(depth - 1), self.filter()
        return f"({left}) {op} {right}" if pick.random() < 0.3 else f"{left} {op} {right}"

    def aggregate(self) -> str:
        pick = self._pick
        function = pick.choice(("count", "avg", "max", "min", "sum"))
        if function == "count":
            return f"count() {pick.choice(COMPARISONS)} {pick.choice(('1', '2', '4'))}"
        field = pick.choice(MEASURED)
        limit = pick.choice(("1s", "40ms", "2s")) if field == "duration" else pick.choice(("1", "1.5", "90"))
        return f"{function}({field}) {pick.choice(('>', '<', '>=', '<='))} {limit}"

    def pipeline(self) -> str:
        pick = self._pick
        stages = [self.spanset()]
        for _ in range(pick.choice((0, 0, 0, 1, 1, 2))):
            stage = pick.randrange(6)
            if stage < 2:
                stages.append(self.aggregate())
            elif stage < 3:
                stages.append(f"by({pick.choice(GROUPS)})")
            elif stage < 4:
                stages.append(self.filter())
            elif stage < 5:
                stages.append(f"select({', '.join(pick.sample(GROUPS, 2))})")
            elif len(stages) > 1:
                stages.append("coalesce()")
        return " | ".join(stages)

    def measure(self) -> str:
        pick = self._pick
        function = pick.choice(
            ("rate", "rate", "count_over_time", "count_over_time", "min_over_time", "max_over_time",
             "avg_over_time", "sum_over_time", "quantile_over_time", "histogram_over_time")
        )  # fmt: skip
        field = pick.choice(MEASURED)
        arguments = "" if function in {"rate", "count_over_time"} else field
        if function == "quantile_over_time":
            arguments += pick.choice((", .5", ", .9, .99", ", 0, 1"))
        groups = pick.sample(GROUPS, pick.choice((0, 0, 1, 1, 2, 3)))
        by = f" by ({', '.join(groups)})" if groups else ""
        stages = [self.spanset(1), f"{function}({arguments}){by}"]
        if pick.random() < 0.15:
            stages.insert(1, self.aggregate())
        if function == "sum_over_time" and field.startswith("span."):
            stages.insert(-1, f"{{ {field} != nil }}")
        return " | ".join(stages)

    def metric(self) -> str:
        pick = self._pick
        query = self.measure()
        shape = pick.randrange(10)
        if shape < 6:
            return query
        if shape < 7:
            return f"{query} {pick.choice(('>', '<=', '!='))} {pick.choice(('0', '0.01', '2'))}"
        if shape < 8:
            return f"{query} | {pick.choice(('topk', 'bottomk'))}({pick.choice((1, 2, 3))})"
        if shape < 9:
            return f"{pick.choice(('2 *', '1 +', '1 /', '0.5 -'))} ({query})"
        return f"({query}) {pick.choice('+-*/')} ({self.measure()})"
