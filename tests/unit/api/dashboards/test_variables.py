"""Template variables: their options, their order, what is chosen."""

from __future__ import annotations

from typing import Any

import pytest

from awf.api.dashboards.board import Board
from awf.api.dashboards.datasources import Datasources
from awf.api.dashboards.request import Window
from awf.api.dashboards.variables import Resolver, Variable, needed_by
from awf.core.ports import Datasource
from awf.testing import FakeDashboards

WINDOW = Window(1_800_000_000_000, 1_800_001_800_000)
SOURCES = (
    Datasource("mimir", "Mimir", "prometheus", is_default=True),
    Datasource("second", "Second", "prometheus"),
    Datasource("loki", "Loki", "loki"),
)
DATASOURCE = {
    "name": "datasource",
    "type": "datasource",
    "query": "prometheus",
    "current": {"value": "mimir"},
}
WORKFLOW = {
    "name": "workflow", "type": "query", "multi": True, "includeAll": True, "allValue": ".+", "sort": 1,
    "datasource": {"uid": "${datasource}"}, "query": {"query": "label_values(awf_workflow_total, workflow_id)"},
    "current": {"value": ["$__all"]},
}  # fmt: skip
VALUES = "/api/v1/label/workflow_id/values"


async def resolve(
    *models: dict[str, Any], answer: Any = ("b", "a"), needed: set[str] | None = None, **chosen: list[str]
) -> tuple[list[Variable], FakeDashboards]:
    answers = {(uid, VALUES): {"data": list(answer)} for uid in ("mimir", "second")}
    source = FakeDashboards({}, SOURCES, answers)
    board = Board("b", {"templating": {"list": list(models)}})
    resolver = Resolver(source, Datasources(SOURCES), WINDOW, chosen)
    return await resolver.resolve(board, needed=needed), source


async def test_values_of_a_label_are_offered_sorted_after_all() -> None:
    (_, workflow), source = await resolve(DATASOURCE, WORKFLOW)
    assert [each["value"] for each in workflow.json["options"]] == ["$__all", "a", "b"]
    assert source.asked[0][2]["match[]"] == "awf_workflow_total"


async def test_all_is_what_the_dashboard_says_or_every_option() -> None:
    (_, workflow), _ = await resolve(DATASOURCE, WORKFLOW)
    assert workflow.value.texts == (".+",)
    (_, expanded), _ = await resolve(DATASOURCE, {**WORKFLOW, "allValue": None})
    assert expanded.value.texts == ("a", "b")


async def test_options_are_not_looked_up_where_nothing_depends_on_them() -> None:
    _, source = await resolve(DATASOURCE, WORKFLOW, needed={"workflow"})
    assert source.asked == []
    _, source = await resolve(DATASOURCE, {**WORKFLOW, "allValue": ""}, needed={"workflow"})
    assert len(source.asked) == 1


async def test_what_is_chosen_stays_chosen_even_when_it_is_not_offered() -> None:
    (_, workflow), _ = await resolve(DATASOURCE, WORKFLOW, workflow=["gone"])
    assert workflow.chosen == ("gone",)
    assert not workflow.value.is_trusted


async def test_a_datasource_variable_offers_those_of_its_type_and_takes_no_other() -> None:
    (datasource,), _ = await resolve(DATASOURCE, datasource=["second"])
    assert datasource.chosen == ("second",)
    (datasource,), _ = await resolve(DATASOURCE, datasource=["loki"])
    assert datasource.chosen == ("mimir",)


async def test_a_variable_uses_those_before_it() -> None:
    _, source = await resolve(DATASOURCE, WORKFLOW, datasource=["second"])
    assert source.asked[0][0] == "second"
    chained = {**WORKFLOW, "name": "step", "query": 'label_values(a{w=~"$workflow"}, workflow_id)'}
    _, source = await resolve(DATASOURCE, WORKFLOW, chained, workflow=["x.y"])
    assert source.asked[1][2]["match[]"] == r'a{w=~"x\\.y"}'


async def test_all_of_a_variable_without_all_is_not_taken() -> None:
    (_, workflow), _ = await resolve(DATASOURCE, {**WORKFLOW, "includeAll": False}, workflow=["$__all"])
    assert workflow.chosen == ("a",)


async def test_custom_options_have_texts_and_values() -> None:
    (custom,), _ = await resolve({"name": "c", "type": "custom", "query": r"5m, one hour : 1h, a\,b"})
    assert custom.options == (("5m", "5m"), ("one hour", "1h"), ("a,b", "a,b"))
    assert custom.chosen == ("5m",)
    assert custom.value.is_trusted


async def test_a_value_that_is_no_custom_option_is_not_trusted() -> None:
    (custom,), _ = await resolve({"name": "c", "type": "custom", "query": "5m,1h"}, c=["1) or vector(1"])
    assert not custom.value.is_trusted


async def test_a_constant_cannot_be_chosen_away() -> None:
    (constant,), _ = await resolve({"name": "c", "type": "constant", "query": "fixed"}, c=["other"])
    assert constant.chosen == ("fixed",)


async def test_a_regex_keeps_and_cuts_values() -> None:
    (_, cut), _ = await resolve(DATASOURCE, {**WORKFLOW, "regex": "/team-(.*)/"}, answer=("team-x", "y"))
    assert cut.options == (("x", "x"),)


@pytest.mark.parametrize("kind", ["adhoc", "groupby"])
async def test_a_type_that_is_not_known_is_named(kind: str) -> None:
    (variable,), _ = await resolve({"name": "c", "type": kind})
    assert variable.error is not None
    assert kind in variable.error.message


async def test_more_options_than_can_be_listed_are_cut_and_said_so() -> None:
    (_, workflow), _ = await resolve(DATASOURCE, WORKFLOW, answer=[f"w{n}" for n in range(1_200)])
    assert len(workflow.options) == 1_000
    assert "1,000" in workflow.json["cut"]


def test_what_a_panel_needs_includes_what_its_variables_need() -> None:
    chained = {
        "name": "step",
        "query": 'label_values(a{w=~"$workflow"}, step)',
        "datasource": "${datasource}",
    }
    board = Board("b", {"templating": {"list": [DATASOURCE, WORKFLOW, {"name": "unused"}, chained]}})
    assert needed_by(board, ['a{step="$step"}']) >= {"step", "workflow", "datasource"}
    assert "unused" not in needed_by(board, ['a{step="$step"}'])
