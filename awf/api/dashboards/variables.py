"""Template variables: what there is to choose from, and what is chosen, in the order of the dashboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from awf.api.dashboards.board import Board, member, objects, text
from awf.api.dashboards.datasources import Datasources
from awf.api.dashboards.interpolation import Value, interpolate_query, names_in
from awf.api.dashboards.queries import built_in
from awf.api.dashboards.request import Choices, Window
from awf.core.ports import DashboardSource, Datasource
from awf.core.types import Json
from awf.errors import AwfError, QueryError, UnsupportedQuery

ALL: Final = "$__all"
MAX_OPTIONS: Final = 1_000
FROM_FILE: Final = frozenset({"custom", "constant", "interval"})
_LABEL_VALUES: Final = re.compile(r"label_values\((?:(?P<of>.+),)?\s*(?P<label>[a-zA-Z_]\w*)\s*\)", re.DOTALL)
_LABEL_NAMES: Final = re.compile(r"label_names\((?P<of>.*)\)", re.DOTALL)
_METRICS: Final = re.compile(r"metrics\((?P<pattern>.*)\)", re.DOTALL)
_RESULT: Final = re.compile(r"query_result\((?P<query>.+)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable as the page shows it: its options, what is chosen, and what went wrong."""

    model: Json
    options: tuple[tuple[str, str], ...]  # (text, value)
    chosen: tuple[str, ...]
    error: AwfError | None = None
    is_cut: bool = False

    @property
    def value(self) -> Value:
        """Return what goes into queries."""
        kind = text(self.model, "type")
        own = frozenset(value for _, value in self.options) if kind in FROM_FILE else frozenset()
        is_many = bool(self.model.get("multi") or self.model.get("includeAll"))
        if ALL in self.chosen:
            if stands_for_all := text(self.model, "allValue"):
                return Value((stands_for_all,), is_trusted=True)
            every = tuple(value for _, value in self.options)
            return Value(every or ("",), is_trusted=bool(own), is_regex=True)
        return Value(self.chosen or ("",), is_trusted=set(self.chosen) <= own, is_regex=is_many)

    @property
    def json(self) -> Json:
        with_all = [{"text": "All", "value": ALL}] if self.model.get("includeAll") else []
        return {
            "name": self.model["name"],
            "label": text(self.model, "label") or self.model["name"],
            "description": text(self.model, "description"),
            "type": text(self.model, "type"),
            "multi": bool(self.model.get("multi")),
            "hide": self.model.get("hide") or 0,
            "options": with_all + [{"text": shown, "value": value} for shown, value in self.options],
            "chosen": list(self.chosen),
            "cut": f"the first {MAX_OPTIONS:,} values are listed" if self.is_cut else "",
            "error": self.error.problem() if self.error else None,
        }


@dataclass(slots=True)
class Resolver:
    """Resolves variables one after the other, since each may refer to those before it."""

    source: DashboardSource
    datasources: Datasources
    window: Window
    choices: Choices
    values: dict[str, Value] = field(default_factory=dict)

    async def resolve(self, board: Board, *, needed: set[str] | None = None) -> list[Variable]:
        """Return the variables. With `needed` the options are looked up only where a value depends on them."""
        found = []
        for model in board.variables():
            name = str(model["name"])
            variable = await self._one(model, is_needed=needed is None or self._is_expanded(model, needed))
            self.values[name] = variable.value
            found.append(variable)
        return found

    def _is_expanded(self, model: Json, needed: set[str]) -> bool:
        """Whether a variable's value in a query follows from what there is: All without a text of its own."""
        name = str(model["name"])
        chosen = self._chosen(model)
        return name in needed and (not chosen or (ALL in chosen and not text(model, "allValue")))

    async def _one(self, model: Json, *, is_needed: bool) -> Variable:
        kind = text(model, "type")
        chosen = self._chosen(model)
        try:
            if kind == "query":
                options = await self._from_query(model) if is_needed else ()
            else:
                options = self._from_model(model, kind)
        except AwfError as error:
            return Variable(model, (), chosen, error)
        if kind == "datasource":
            chosen = _offered(chosen, options)
        elif not chosen and options:
            chosen = (options[0][1],)
        return Variable(model, options[:MAX_OPTIONS], chosen, is_cut=len(options) > MAX_OPTIONS)

    def _chosen(self, model: Json) -> tuple[str, ...]:
        given = self.choices.get(str(model["name"]))
        value: Any = given or member(model, "current").get("value")
        if text(model, "type") == "constant":
            value = model.get("query")
        values = value if isinstance(value, list) else [value]
        chosen = tuple(str(each) for each in values if isinstance(each, str | int | float) and each != "")
        if ALL in chosen:
            # All of a variable that has no All would be more than its author offers.
            return (ALL,) if model.get("includeAll") else ()
        return chosen if model.get("multi") else chosen[:1]

    def _from_model(self, model: Json, kind: str) -> tuple[tuple[str, str], ...]:
        match kind:
            case "datasource":
                return _kept(
                    [(each.name, each.uid) for each in self.datasources.of_type(text(model, "query"))], model
                )
            case "custom" | "interval":
                return _custom(text(model, "query"))
            case "constant":
                return ((text(model, "query"), text(model, "query")),)
            case "textbox":
                return ()
        raise UnsupportedQuery(
            f"variable {model['name']!r:.80} is of the type {kind!r:.40}, which this page does not know",
            hint="Open the dashboard in Grafana to use it.",
        )

    async def _from_query(self, model: Json) -> tuple[tuple[str, str], ...]:
        datasource = self.datasources.resolve(model.get("datasource"), self.values)
        look = _LOOKUPS.get(datasource.type)
        if look is None:
            raise UnsupportedQuery(
                f"variable {model['name']!r:.80} asks a {datasource.type!r:.40} datasource,"
                " which this page does not know",
                hint="Open the dashboard in Grafana to use it.",
            )
        values = await look(self, datasource, model)
        return _kept([(value, value) for value in _sorted(dict.fromkeys(values), model.get("sort"))], model)

    async def _prometheus(self, datasource: Datasource, model: Json) -> list[str]:
        raw = model.get("query")
        query = text(raw, "query") if isinstance(raw, dict) else str(raw or "") or text(model, "definition")
        query = interpolate_query(query.strip(), {**built_in(self.window), **self.values})
        if found := _LABEL_VALUES.fullmatch(query):
            return await self._ask(datasource, f"/api/v1/label/{found['label']}/values", found["of"])
        if found := _LABEL_NAMES.fullmatch(query):
            return await self._ask(datasource, "/api/v1/labels", found["of"])
        if found := _METRICS.fullmatch(query):
            names = await self._ask(datasource, "/api/v1/label/__name__/values", None)
            return [name for name in names if _pattern(found["pattern"]).search(name)]
        if found := _RESULT.fullmatch(query):
            answer = await self.source.query(
                datasource.uid,
                "/api/v1/query",
                {"query": found["query"], "time": str(self.window.to_ms / 1000)},
            )
            return [_result_text(each) for each in objects(member(answer, "data").get("result"))]
        raise UnsupportedQuery(
            f"variable {model['name']!r:.80} has a query that this page does not know: {query!r:.80}",
            hint="Known are label_values(), label_names(), metrics() and query_result().",
        )

    async def _loki(self, datasource: Datasource, model: Json) -> list[str]:
        raw = model.get("query")
        asked = raw if isinstance(raw, dict) else {}
        label, stream = text(asked, "label"), text(asked, "stream")
        if isinstance(raw, str) and (found := _LABEL_VALUES.fullmatch(raw.strip())):
            label, stream = found["label"], found["of"] or ""
        span = {"start": f"{self.window.from_ms}000000", "end": f"{self.window.to_ms}000000"}
        path = f"/loki/api/v1/label/{label}/values" if label else "/loki/api/v1/labels"
        if label and not re.fullmatch(r"[a-zA-Z_]\w*", label):
            raise QueryError(f"{label!r:.80} is not a label's name")
        query = {"query": interpolate_query(stream, self.values)} if stream else {}
        return _texts((await self.source.query(datasource.uid, path, {**span, **query})).get("data"))

    async def _ask(self, datasource: Datasource, path: str, selector: str | None) -> list[str]:
        span = {"start": f"{self.window.from_ms / 1000}", "end": f"{self.window.to_ms / 1000}"}
        match = {"match[]": selector.strip()} if selector and selector.strip() else {}
        return _texts((await self.source.query(datasource.uid, path, {**span, **match})).get("data"))


_LOOKUPS: Final[dict[str, Callable[..., Any]]] = {"prometheus": Resolver._prometheus, "loki": Resolver._loki}


def needed_by(board: Board, templates: list[str]) -> set[str]:
    """Return the variables that templates refer to, and those that these refer to in turn."""
    needed = set().union(*map(names_in, templates)) if templates else set()
    for model in reversed(board.variables()):
        if model["name"] in needed:
            needed |= names_in(f"{model.get('query')} {model.get('datasource')} {model.get('definition')}")
    return needed


def _offered(chosen: tuple[str, ...], options: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return the datasource chosen, by uid or name; the first one when there is no such."""
    for shown, uid in options:
        if chosen and chosen[0] in (uid, shown):
            return (uid,)
    return (options[0][1],) if options else ()


def _custom(listed: str) -> tuple[tuple[str, str], ...]:
    """Read `a, b, shown : value`; a comma in an option is written as `\\,`."""
    options = []
    for part in re.split(r"(?<!\\),", listed):
        option = part.replace("\\,", ",").strip()
        shown, is_pair, value = option.partition(" : ")
        if option:
            options.append((shown.strip(), value.strip() if is_pair else option))
    return tuple(options)


def _kept(options: list[tuple[str, str]], model: Json) -> tuple[tuple[str, str], ...]:
    """Apply a variable's `regex`: what does not match goes, a group becomes the value."""
    written = text(model, "regex").strip()
    if not written:
        return tuple(options)
    pattern = _pattern(written[1:].rpartition("/")[0] if written.startswith("/") else written)
    kept: dict[str, str] = {}
    for shown, value in options:
        if found := pattern.search(value if text(model, "type") != "datasource" else shown):
            names = found.groupdict()
            part = names.get("value") or names.get("text") or (found[1] if pattern.groups else value)
            kept.setdefault(part or "", names.get("text") or (part if pattern.groups else shown) or "")
    return tuple((shown, value) for value, shown in kept.items())


def _pattern(written: str) -> re.Pattern[str]:
    try:
        return re.compile(
            written.replace("(?<", "(?P<") if "(?<" in written and "(?<=" not in written else written
        )
    except re.error as error:
        raise QueryError(
            f"the regular expression {written!r:.80} of a variable cannot be read: {error}"
        ) from error


def _sorted(values: Any, order: Any) -> list[str]:
    """Sort as Grafana's numbers say: 1 and 2 by text, 3 and 4 by number, 5 and 6 without case; even is falling."""
    listed = list(values)
    if order in (1, 2):
        listed.sort()
    elif order in (3, 4):
        listed.sort(key=lambda each: float(found[0]) if (found := re.search(r"-?\d+(\.\d+)?", each)) else 0.0)
    elif order in (5, 6, 7, 8):
        listed.sort(key=str.lower)
    return listed[::-1] if order in (2, 4, 6, 8) else listed


def _result_text(sample: Json) -> str:
    labels = {key: str(value) for key, value in member(sample, "metric").items()}
    name = labels.pop("__name__", "")
    inner = ",".join(f'{key}="{value}"' for key, value in labels.items())
    at, value = (sample.get("value") or [0, ""])[:2]
    return f"{name}{{{inner}}} {value} {float(at) * 1000:.0f}"


def _texts(found: Any) -> list[str]:
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
