"""A pipeline as a list of steps, what of it the store can filter already, and which labels it reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from awf.embedded.logql import extract, extract_json, nodes
from awf.embedded.logql.entry import ERROR, ERROR_DETAILS, Entry, LineDropped
from awf.embedded.logql.extract import Step
from awf.embedded.logql.filters import label_filter, label_names, line_filter
from awf.embedded.logql.pushdown import pushed
from awf.embedded.logql.template import TEMPLATE_ERROR, Template, TemplateError

# What terminals take as an escape sequence: one that a bell ends, or one that a final character does.
_ANSI: Final = re.compile(
    r"[\x1b\x9b][\[\]()#;?]*+"
    r"(?:(?:[A-Za-z0-9]*+(?:;[A-Za-z0-9]*+)*+)\x07|(?:[0-9]{1,4}(?:;[0-9]{0,4})*)?[0-9A-PRZcf-ntqry=><~])"
)
_KEEPS_EVERY_LINE = (
    nodes.JsonStage, nodes.LogfmtStage, nodes.RegexpStage, nodes.PatternStage, nodes.UnpackStage,
    nodes.DecolorizeStage, nodes.LineFormat, nodes.LabelFormat, nodes.Drop, nodes.Keep,
)  # fmt: skip


class Pipeline:
    """The stages of a query, ready to run."""

    def __init__(self, stages: Sequence[nodes.Stage]) -> None:
        self._steps = [_step(stage) for stage in stages]
        self._early = _early(stages)
        self.where = pushed(stages).where
        self.filters = not all(isinstance(stage, _KEEPS_EVERY_LINE) for stage in stages)

    def accepts(self, entry: Entry) -> bool:
        """Run the stages; tell whether the entry stays."""
        entry.early = self._early
        try:
            for step in self._steps:
                if not step(entry):
                    return False
        except LineDropped:
            return False
        return True


def _early(stages: Sequence[nodes.Stage]) -> dict[str, Step]:
    """Return the first filter of each label that stands alone."""
    found: dict[str, Step] = {}
    for stage in stages:
        if isinstance(stage, nodes.LabelMatch | nodes.LabelCompare | nodes.LabelAddress):
            (name,) = label_names(stage)
            found.setdefault(name, label_filter(stage))
    return found


def required_names(stages: Sequence[nodes.Stage]) -> frozenset[str]:
    """Return the labels that the stages read, for the parsers' hints."""
    names: set[str] = set()
    for stage in stages:
        match stage:
            case nodes.LineFormat():
                names.update(Template.parse(stage.template).names)
            case nodes.LabelFormat():
                for item in stage.assignments:
                    names.update([item.value] if item.renames else Template.parse(item.value).names)
            case (
                nodes.LabelMatch()
                | nodes.LabelCompare()
                | nodes.LabelAddress()
                | nodes.LabelAnd()
                | nodes.LabelOr()
            ):
                names |= label_names(stage)
    return frozenset(names)


def _step(stage: nodes.Stage) -> Step:  # noqa: PLR0911  (one line a stage)
    match stage:
        case nodes.LineFilter():
            return line_filter(stage)
        case nodes.JsonStage():
            return (
                extract_json.json_extractor(stage.extractions)
                if stage.extractions
                else extract_json.json_parser
            )
        case nodes.LogfmtStage(extractions=()):
            return extract.logfmt_parser(strict=stage.strict, keep_empty=stage.keep_empty)
        case nodes.LogfmtStage():
            return extract.logfmt_extractor(stage.extractions, strict=stage.strict)
        case nodes.RegexpStage():
            return extract.regexp_parser(stage.pattern)
        case nodes.PatternStage():
            return extract.pattern_parser(stage.pattern)
        case nodes.UnpackStage():
            return extract_json.unpack_parser
        case nodes.DecolorizeStage():
            return _decolorize
        case nodes.LineFormat():
            return _line_format(Template.parse(stage.template))
        case nodes.LabelFormat():
            return _label_format(stage)
        case nodes.Drop():
            return _drop(stage)
        case nodes.Keep():
            return _keep(stage)
        case (
            nodes.LabelMatch()
            | nodes.LabelCompare()
            | nodes.LabelAddress()
            | nodes.LabelAnd()
            | nodes.LabelOr()
        ):
            return label_filter(stage)


def _decolorize(entry: Entry) -> bool:
    entry.line = _ANSI.sub("", entry.line)
    return True


def _line_format(template: Template) -> Step:
    def step(entry: Entry) -> bool:
        try:
            entry.line = template.render(entry.labels(), entry.line, entry.timestamp_ns)
        except TemplateError as error:
            entry.fail(TEMPLATE_ERROR, str(error))
        return True

    return step


def _label_format(node: nodes.LabelFormat) -> Step:
    """All templates of one stage see the labels as they were before its first template."""
    templates = {item.name: Template.parse(item.value) for item in node.assignments if not item.renames}

    def step(entry: Entry) -> bool:
        before: dict[str, str] | None = None
        for item in node.assignments:
            if item.renames:
                _rename(entry, item)
                continue
            before = entry.labels() if before is None else before
            try:
                value = templates[item.name].render(before, entry.line, entry.timestamp_ns)
            except TemplateError as error:
                entry.fail(TEMPLATE_ERROR, str(error))
                continue
            entry.set(item.name, value)
        return True

    return step


def _rename(entry: Entry, item: nodes.LabelAssignment) -> None:
    value = entry.get(item.value)
    if value is not None:
        entry.set(item.name, value)
        entry.delete(item.value)


def _drop(node: nodes.Drop) -> Step:
    targets = [
        (target, None) if isinstance(target, str) else (target.name, target.matches)
        for target in node.targets
    ]

    def step(entry: Entry) -> bool:
        for name, test in targets:
            if test is not None and not test(entry.text(name)):
                continue
            if name == ERROR:
                entry.error = ""
            elif name == ERROR_DETAILS:
                entry.error_details = ""
            else:
                entry.delete(name)
        return True

    return step


def _keep(node: nodes.Keep) -> Step:
    names = {target for target in node.targets if isinstance(target, str)}
    tests = [(target.name, target.matches) for target in node.targets if not isinstance(target, str)]

    def step(entry: Entry) -> bool:
        for name, value in entry.labels().items():
            if name in names or name in {ERROR, ERROR_DETAILS}:
                continue
            if not any(name == wanted and test(value) for wanted, test in tests):
                entry.delete(name)
        return True

    return step
