"""Random PromQL that is valid on the data of `_samples`: every kind of expression inside every other.

An expression knows its labels, so that vectors are matched by labels they have, and whether its values are exact,
so that what jumps (comparisons, floor, topk) is not asked of values that rounding may push over an edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from ._samples import START_MS

INTO_DATA_S = START_MS // 1000


@dataclass(frozen=True)
class Vector:
    text: str
    labels: frozenset[str]
    exact: bool
    depth: int = 0


@dataclass(frozen=True)
class Metric:
    name: str
    labels: frozenset[str]
    matchers: tuple[str, ...]
    is_plain: bool = True
    """Whether the values are finite and rarely equal."""


METRICS = (
    Metric(
        "requests_total",
        frozenset({"host", "code"}),
        ('code="500"', 'code!="404"', 'host=~"h[01]"', 'code!~"5.."'),
    ),
    Metric(
        "temperature", frozenset({"host", "room"}), ('room="r1"', 'host!="h2"', 'host=~"h1|h2"', 'nothing=""')
    ),
    Metric("state", frozenset({"host"}), ('host="h1"', 'host!~"h[02]"'), is_plain=False),
    Metric("info_metric", frozenset({"host", "version"}), ('version=~"v-.*"',), is_plain=False),
    Metric("session", frozenset({"host"}), ('host=~".+"', 'host!="h0"')),
    Metric("odd", frozenset({"host"}), ('host="h2"', 'host!=""'), is_plain=False),
    Metric("gap", frozenset(), ('nothing=~"|x"',), is_plain=False),
    Metric("latency_bucket", frozenset({"host", "le"}), ('le="+Inf"', 'le!="+Inf"', 'host="h0"')),
)
BY_NAME = {metric.name: metric for metric in METRICS}

EXACT_RANGE = (
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
    "present_over_time",
    "changes",
    "resets",
)
ROUNDED_RANGE = ("sum_over_time", "avg_over_time", "stddev_over_time", "stdvar_over_time", "rate", "increase", "delta",
                 "irate", "idelta", "deriv")  # fmt: skip
COUNTER_ONLY = ("rate", "increase", "irate")
SMOOTH = ("abs", "sqrt", "exp", "ln", "log2", "log10", "deg", "rad", "atan", "sinh", "tanh", "asinh")
LEAF_ONLY = ("ceil", "floor", "sgn", "sin", "cos", "tan", "acos", "asin", "acosh", "atanh", "cosh")
DATES = ("minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year")
COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")
ARITHMETIC = ("+", "-", "*", "/")
RANGES = ("45s", "1m", "2m", "5m", "7m13s", "10m", "20m")


class Generator:
    """Yields expressions; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def query(self) -> str:
        roll = self._random.random()
        if roll < 0.05:
            return self.scalar(2)
        return self.vector(self._random.choice((1, 2, 2, 3))).text

    def _pick(self, options: Sequence[str]) -> str:
        return self._random.choice(options)

    def number(self) -> str:
        return self._pick(
            (f"{self._random.uniform(-30, 60):.7f}", str(self._random.randint(1, 9)), "0.5", "1e3", "0x1F")
        )

    def scalar(self, depth: int) -> str:
        options: list[Callable[[], str]] = [self.number, lambda: "time()", lambda: "pi()"]
        if depth > 0:
            options.append(
                lambda: f"scalar({self._pick(('sum', 'max', 'count'))}({self.vector(depth - 1).text}))"
            )
            options.append(
                lambda: f"({self.scalar(depth - 1)} {self._pick(ARITHMETIC)} {self.scalar(depth - 1)})"
            )
            options.append(lambda: f"({self.number()} {self._pick(COMPARISONS)} bool {self.number()})")
            options.append(lambda: f"-{self._random.randint(1, 9)} ^ {self._random.randint(1, 3)}")
        return self._random.choice(options)()

    def vector(self, depth: int) -> Vector:
        if depth <= 0:
            return self.selector()
        makers: list[Callable[[int], Vector]] = [
            self.over_range, self.over_range, self.aggregation, self.aggregation, self.with_scalar, self.matched,
            self.matched, self.set_operation, self.math, self.relabelled, self.histogram, self.subquery, self.special,
            self.choice, self.compared,
        ]  # fmt: skip
        return self._random.choice(makers)(depth)

    def _metric(self, *, plain: bool = False) -> Metric:
        return self._random.choice([metric for metric in METRICS if metric.is_plain or not plain])

    def _matchers(self, metric: Metric) -> str:
        if self._random.random() < 0.4:
            return ""
        return f"{{{','.join(self._random.sample(metric.matchers, self._random.randint(1, min(2, len(metric.matchers)))))}}}"

    def _moved(self) -> str:
        roll = self._random.random()
        if roll < 0.7:
            return ""
        offset = f" offset {self._pick(('', '-'))}{self._pick(('30s', '4m', '11m7s'))}"
        at = f" @ {self._pick(('start()', 'end()', str(INTO_DATA_S + self._random.randint(600, 3000)) + '.25'))}"
        return offset if roll < 0.85 else at if roll < 0.95 else at + offset

    def selector(self, *, plain: bool = False) -> Vector:
        metric = self._metric(plain=plain)
        return Vector(f"{metric.name}{self._matchers(metric)}{self._moved()}", metric.labels, exact=True)

    def over_range(self, _depth: int) -> Vector:
        name = self._pick(
            (*EXACT_RANGE, *ROUNDED_RANGE, "quantile_over_time", "predict_linear", "holt_winters")
        )
        metric = (
            BY_NAME[self._pick(("requests_total", "latency_bucket"))]
            if name in COUNTER_ONLY
            else self._metric()
        )
        if name in ("holt_winters", "deriv", "predict_linear", "stddev_over_time", "stdvar_over_time"):
            metric = self._metric(plain=True)
        # 2.42 loses steps of predict_linear over a fixed window (its issue 11708).
        moved = "" if name == "predict_linear" else self._moved()
        window = f"{metric.name}{self._matchers(metric)}[{self._pick(RANGES)}]{moved}"
        call = {
            "quantile_over_time": f"quantile_over_time({self._pick(('0.3', '0.95', '1', '-1', '2'))}, {window})",
            "predict_linear": f"predict_linear({window}, {self._random.randint(-600, 3600)})",
            "holt_winters": f"holt_winters({window}, 0.3, 0.{self._random.randint(1, 9)})",
        }.get(name, f"{name}({window})")
        return Vector(call, metric.labels, exact=name in EXACT_RANGE)

    def subquery(self, depth: int) -> Vector:
        inner = self.vector(depth - 1)
        name = self._pick(
            (
                "max_over_time",
                "min_over_time",
                "avg_over_time",
                "count_over_time",
                "sum_over_time",
                "last_over_time",
            )
        )
        step = self._pick(("", "30s", "1m", "100s"))
        exact = inner.exact and name in EXACT_RANGE
        text = f"{name}(({inner.text})[{self._pick(('3m', '10m', '16m'))}:{step}]{self._moved()})"
        return Vector(text, inner.labels, exact)

    def aggregation(self, depth: int) -> Vector:
        op = self._pick(("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "quantile"))
        # 2.42 calls the spread of one NaN or infinity 0, and that of great numbers it rounds.
        inner = self.selector(plain=True) if op.startswith("std") else self.vector(depth - 1)
        names = sorted(inner.labels)
        kept = frozenset(self._random.sample(names, self._random.randint(0, len(names))))
        inside = f"{self._pick(('0.1', '0.5', '0.99'))}, {inner.text}" if op == "quantile" else inner.text
        if self._random.random() < 0.3:
            clause = f" without ({', '.join(sorted(inner.labels - kept))})"
        else:
            clause = f" by ({', '.join(sorted(kept))})" if kept or self._random.random() < 0.3 else ""
        text = f"{op}{clause} ({inside})" if self._random.random() < 0.5 else f"{op}({inside}){clause}"
        return Vector(text, kept, inner.exact and op in ("min", "max", "count", "group"))

    def choice(self, _depth: int) -> Vector:
        """Values that are never equal, as which of equals is kept is not defined."""
        inner = self.selector(plain=True)
        clause = self._pick(("", " by (host)", " without (host)"))
        op = self._pick(("topk", "bottomk"))
        if "latency" in inner.text:
            op, inner = "count_values", Vector("state" + self._moved(), frozenset({"host"}), exact=True)
            clause = self._pick(("", " by (host)"))
            labels = frozenset({"value"}) | (frozenset({"host"}) if clause else frozenset())
            return Vector(f'count_values{clause} ("value", {inner.text})', labels, exact=True)
        return Vector(f"{op}{clause} ({self._random.randint(1, 3)}, {inner.text})", inner.labels, exact=True)

    def with_scalar(self, depth: int) -> Vector:
        inner = self.vector(depth - 1)
        operands = [f"({inner.text})", self.scalar(1)]
        self._random.shuffle(operands)
        if self._random.random() < 0.1:  # 2.42 keeps the metric's name over atan2
            return Vector(f"abs({operands[0]} atan2 {operands[1]})", inner.labels, exact=False)
        return Vector(f"{operands[0]} {self._pick(ARITHMETIC)} {operands[1]}", inner.labels, exact=False)

    def compared(self, depth: int) -> Vector:
        inner = self.vector(depth - 1)
        limit = f"{self._random.uniform(-5, 40):.9f}"
        sides = [f"({inner.text})", limit]
        self._random.shuffle(sides)
        text = f"{sides[0]} {self._pick(COMPARISONS)}{self._pick(('', ' bool'))} {sides[1]}"
        return replace(inner, text=text)

    def math(self, depth: int) -> Vector:
        roll = self._random.random()
        if roll < 0.4:
            inner = self.vector(depth - 1)
            return Vector(f"{self._pick(SMOOTH)}({inner.text})", inner.labels, exact=False)
        leaf = self.selector()
        if roll < 0.6:
            return Vector(f"{self._pick(LEAF_ONLY)}({leaf.text})", leaf.labels, exact=False)
        if roll < 0.8:
            low, high = sorted((self._random.uniform(-5, 30), self._random.uniform(-5, 30)))
            call = self._pick(
                (f"clamp({leaf.text}, {low:.3f}, {high:.3f})", f"clamp_min({leaf.text}, {low:.3f})",
                 f"clamp_max({leaf.text}, {high:.3f})", f"round({leaf.text}, 0.25)", f"round({leaf.text})",
                 f"clamp({leaf.text}, 9, 1)")
            )  # fmt: skip
            return Vector(call, leaf.labels, exact=True)
        call = self._pick(
            (
                f"-{leaf.text}",
                f"{leaf.text} % 7",
                f"{leaf.text} ^ 2",
                f"2 ^ ({leaf.text} % 5)",
                f"+{leaf.text}",
            )
        )
        return Vector(f"({call})", leaf.labels, exact=True)

    def relabelled(self, depth: int) -> Vector:
        inner = self.vector(depth - 1)
        if "host" not in inner.labels:
            return inner
        call = self._pick(
            (f'label_replace({inner.text}, "place", "p-$1", "host", "h(.*)")',
             f'label_replace({inner.text}, "place", "$name", "host", "(?P<name>.)[01]")',
             f'label_replace({inner.text}, "nothing", "", "host", ".*")',
             f'label_join({inner.text}, "place", "/", "host", "nothing", "room")')
        )  # fmt: skip
        return replace(inner, text=call, labels=inner.labels | ({"place"} if "place" in call else set()))

    def histogram(self, _depth: int) -> Vector:
        quantile = self._pick(("0", "0.5", "0.9", "0.99", "1", "1.5"))
        inner = self._pick(
            (
                f"rate(latency_bucket[{self._pick(RANGES[1:])}])",
                "latency_bucket",
                f"increase(latency_bucket[5m]{self._moved()})",
            )
        )
        if self._random.random() < 0.4:
            return Vector(f"histogram_quantile({quantile}, sum by (le) ({inner}))", frozenset(), exact=False)
        return Vector(f"histogram_quantile({quantile}, {inner})", frozenset({"host"}), exact=False)

    def special(self, depth: int) -> Vector:
        leaf = self.selector()
        moved = leaf.text.split(" offset")[0] if "@" in leaf.text else leaf.text
        text = self._pick(
            (f"timestamp({moved})", f"timestamp(({leaf.text}) + 0)", f"absent({leaf.text})",
             'absent(nope{a="1",b=~"2"})', f"absent_over_time({self._metric().name}[{self._pick(RANGES)}])",
             f"vector({self.scalar(depth)})", f"sort({leaf.text})", f"sort_desc({leaf.text})",
             f"{self._pick(DATES)}(vector(time()))", f"{self._pick(DATES)}()",
             f"{self._pick(DATES)}(temperature * 86400)")
        )  # fmt: skip
        labels = leaf.labels if moved in text and "absent" not in text else frozenset()
        if "temperature * " in text:
            labels = BY_NAME["temperature"].labels
        return Vector(text, labels, exact="vector" not in text)

    def matched(self, depth: int) -> Vector:
        """An operator between two vectors that match one to one, or many to one."""
        left, right = self.vector(depth - 1), self.vector(depth - 1)
        jumps = left.exact and right.exact and self._random.random() < 0.3
        op = self._pick(COMPARISONS) if jumps else self._pick(ARITHMETIC)
        op += self._pick(("", " bool")) if jumps else ""
        if left.labels == right.labels:
            ways = ["", f" on ({', '.join(sorted(left.labels))})", " ignoring (nothing)"]
            return Vector(f"({left.text}) {op}{self._pick(ways)} ({right.text})", left.labels, exact=False)
        common = left.labels & right.labels
        if common == right.labels or common == left.labels:
            side = "left" if common == right.labels else "right"
            on = f"on ({', '.join(sorted(common))})"
            many = left if side == "left" else right
            return Vector(f"({left.text}) {op} {on} group_{side} () ({right.text})", many.labels, exact=False)
        one = f"max by ({', '.join(sorted(common))}) ({right.text})"
        on = f"on ({', '.join(sorted(common))}) group_left"
        return Vector(f"({left.text}) {op} {on} {one}", left.labels, exact=False)

    def set_operation(self, depth: int) -> Vector:
        left, right = self.vector(depth - 1), self.vector(depth - 1)
        op = self._pick(("and", "or", "unless"))
        common = sorted(left.labels & right.labels)
        way = self._pick(
            (f" on ({', '.join(common)})", f" ignoring ({', '.join(sorted(left.labels ^ right.labels))})", "")
        )
        text = f"({left.text}) {op}{way} ({right.text})"
        labels = left.labels | right.labels if op == "or" else left.labels
        return Vector(text, labels, exact=left.exact and (right.exact or op != "or"))
