"""Prometheus rule files, read and checked in full before anything runs.

A rule's `uid` is its alert name in snake case, so that links and dedupe keys survive restarts and edits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from awf.core.names import UID_LENGTH, rule_uid
from awf.embedded.ruler.durations import parse_duration_ms
from awf.embedded.ruler.labels import fnv1a64, label_key
from awf.embedded.ruler.templates import Template, compile_template
from awf.errors import AwfError, ConfigError

FOLDERS: Final = ("recording", "alerts")

_METRIC_NAME: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

CheckExpr = Callable[[str], object]
"""Raises an AwfError for an expression that cannot be evaluated."""


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """Writes the result of `expr` as the series `name`."""

    name: str
    expr: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlertRule:
    """Watches `expr`: each series of its result is one alert instance."""

    name: str
    uid: str
    expr: str
    for_ms: int
    keep_firing_for_ms: int
    labels: Mapping[str, Template]
    annotations: Mapping[str, Template]


Rule = RecordingRule | AlertRule


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated one after the other, every `interval_ms`."""

    name: str
    file: str
    interval_ms: int
    rules: tuple[Rule, ...]


def _duration(value: object) -> object:
    if isinstance(value, str):
        return parse_duration_ms(value)
    if value == 0 and not isinstance(value, bool):
        return 0
    msg = f"{value!r:.40} is not a duration such as 30s, 5m or 1h30m"
    raise ValueError(msg)


def _metric_name(name: str | None) -> str | None:
    if name is not None and not _METRIC_NAME.fullmatch(name):
        msg = f"{name!r:.60} is not a metric name"
        raise ValueError(msg)
    return name


def _label_names(labels: dict[str, str]) -> dict[str, str]:
    for name in labels:
        if not _LABEL_NAME.fullmatch(name) or name == "__name__":
            msg = f"{name!r:.60} is not a label name"
            raise ValueError(msg)
    return labels


_Duration = Annotated[int, BeforeValidator(_duration)]
_Labels = Annotated[dict[str, str], AfterValidator(_label_names)]


class _RuleEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    record: Annotated[str | None, AfterValidator(_metric_name)] = None
    alert: Annotated[str | None, Field(min_length=1)] = None
    expr: str
    for_: _Duration = Field(0, alias="for")
    keep_firing_for: _Duration = 0
    labels: _Labels = {}
    annotations: _Labels = {}


class _GroupEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1)]
    interval: _Duration = 0
    rules: list[_RuleEntry]


class _RuleFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    groups: list[_GroupEntry] = []


def load_rules(rules_dir: Path, *, default_interval_ms: int, check_expr: CheckExpr) -> tuple[RuleGroup, ...]:
    """Read `recording/*.yaml` and `alerts/*.yaml` under `rules_dir`.

    Raises ConfigError naming the file, the group, the rule and the field that is wrong.
    """
    if not rules_dir.is_dir():
        raise ConfigError(
            f"the rules directory {rules_dir} does not exist",
            hint="Run `awf generate`, or set AWF_RULES_DIR.",
        )
    groups = [
        group
        for folder in FOLDERS
        for path in sorted([*(rules_dir / folder).glob("*.yaml"), *(rules_dir / folder).glob("*.yml")])
        for group in _load_file(path, f"{folder}/{path.name}", default_interval_ms, check_expr)
    ]
    return _with_unique_uids(groups)


def _load_file(path: Path, name: str, default_interval_ms: int, check_expr: CheckExpr) -> list[RuleGroup]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"rule file {path} cannot be read: {error}") from error
    try:
        parsed = _RuleFile.model_validate(content or {})
    except ValidationError as error:
        raise _wrong(path, content, error) from error
    repeated = [group for group, count in Counter(entry.name for entry in parsed.groups).items() if count > 1]
    if repeated:
        raise ConfigError(f"rule file {path}: the group name {repeated[0]!r} is used twice")
    return [
        RuleGroup(
            name=entry.name,
            file=name,
            interval_ms=entry.interval or default_interval_ms,
            rules=tuple(
                _rule(rule, f"rule file {path}, group {entry.name!r}, rule {number}", check_expr)
                for number, rule in enumerate(entry.rules, start=1)
            ),
        )
        for entry in parsed.groups
    ]


def _wrong(path: Path, content: object, error: ValidationError) -> ConfigError:
    """Name the place of the first mistake as a reader of the file would."""
    first = error.errors()[0]
    where, fields = [f"rule file {path}"], list[str]()
    node = content
    for part in first["loc"]:
        if isinstance(part, int):
            node = node[part] if isinstance(node, list) else None
            entry = node if isinstance(node, dict) else {}
            title = entry.get("name") or entry.get("alert") or entry.get("record") or f"number {part + 1}"
            where.append(f"{fields.pop().removesuffix('s')} {title!r}")
        else:
            node = node.get(part) if isinstance(node, dict) else None
            fields.append(part)
    if fields:
        where.append(f"field {'.'.join(fields)!r}")
    return ConfigError(f"{', '.join(where)}: {first['msg'].removeprefix('Value error, ')}")


def _rule(entry: _RuleEntry, where: str, check_expr: CheckExpr) -> Rule:
    if (entry.record is None) == (entry.alert is None):
        raise ConfigError(f"{where}: exactly one of 'record' and 'alert' is needed")
    name = entry.record or entry.alert or ""
    where = f"{where} ({name})"
    try:
        check_expr(entry.expr)
    except AwfError as error:
        raise ConfigError(f"{where}, field 'expr': {error.message}") from error
    if entry.alert is None:
        for field in ("for", "keep_firing_for", "annotations"):
            if getattr(entry, "for_" if field == "for" else field):
                raise ConfigError(f"{where}: the field {field!r} belongs to alerts, not to 'record'")
        return RecordingRule(name, entry.expr, entry.labels)
    return AlertRule(
        name=name,
        uid=rule_uid(name),
        expr=entry.expr,
        for_ms=entry.for_,
        keep_firing_for_ms=entry.keep_firing_for,
        labels=_templates(entry.labels, f"{where}, field 'labels'"),
        annotations=_templates(entry.annotations, f"{where}, field 'annotations'"),
    )


def _templates(texts: Mapping[str, str], where: str) -> dict[str, Template]:
    compiled = {}
    for name, text in texts.items():
        try:
            compiled[name] = compile_template(text)
        except ValueError as error:
            raise ConfigError(f"{where}, {name!r}: {error}") from error
    return compiled


def _with_unique_uids(groups: list[RuleGroup]) -> tuple[RuleGroup, ...]:
    """Give rules that share a name (the levels of one alert) different uids, by group and labels."""
    alerts = [rule for group in groups for rule in group.rules if isinstance(rule, AlertRule)]
    shared = {uid for uid, count in Counter(rule.uid for rule in alerts).items() if count > 1}
    seen: set[str] = set()

    def unique(group: RuleGroup, rule: Rule) -> Rule:
        if isinstance(rule, RecordingRule) or rule.uid not in shared:
            return rule
        labels = label_key({name: template.source for name, template in rule.labels.items()})
        digest = fnv1a64(repr((group.file, group.name, rule.name, labels)).encode()) & 0xFFFFFFFF
        uid = f"{rule.uid[: UID_LENGTH - 9]}_{digest:08x}"
        if uid in seen:
            raise ConfigError(
                f"rule file {group.file}, group {group.name!r}: two alerts {rule.name!r} have the same labels",
                hint="Give each a label of its own, for example severity.",
            )
        seen.add(uid)
        return replace(rule, uid=uid)

    return tuple(replace(group, rules=tuple(unique(group, rule) for rule in group.rules)) for group in groups)
