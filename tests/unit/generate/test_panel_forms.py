"""Panels have the form of a current Grafana: one that is migrated on load counts as edited."""

from __future__ import annotations

import json
from typing import Any

from awf.generate.output import render_dashboards


def _panels() -> list[dict[str, Any]]:
    return [panel for text in render_dashboards().values() for panel in json.loads(text)["panels"]]


def _panels_of(kind: str) -> list[dict[str, Any]]:
    found = [panel for panel in _panels() if panel["type"] == kind]
    assert found, f"no panel of type {kind}"
    return found


def test_no_panel_is_of_a_form_that_grafana_would_migrate() -> None:
    for panel in _panels():
        if panel["type"] == "row":
            continue
        assert panel["pluginVersion"]
        assert not {"fieldOptions", "styles", "columns"} & {*panel, *panel["options"]}
        assert isinstance(panel["fieldConfig"]["overrides"], list)
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps[0]["value"] is None
        if "displayMode" in panel["options"].get("legend", {}):
            assert panel["options"]["legend"]["showLegend"] is True
    for kind in ("stat", "bargauge", "piechart"):
        for panel in _panels_of(kind):
            assert panel["options"]["reduceOptions"] == {
                "calcs": ["lastNotNull"],
                "fields": "",
                "values": False,
            }


def test_the_table_shows_named_columns_in_order_and_no_time() -> None:
    panel = next(panel for panel in _panels_of("table") if panel["title"] == "Agents")
    organize = next(each for each in panel["transformations"] if each["id"] == "organize")["options"]
    shown = sorted(organize["indexByName"], key=organize["indexByName"].get)
    headings = [organize["renameByName"][name] for name in shown]
    assert headings[:3] == ["Agent", "Invocations/min", "Failed"]
    assert shown[1:] == [f"Value #{query['refId']}" for query in panel["targets"]]
    assert organize["excludeByName"] == {"Time": True} | {
        f"Time {number}": True for number in range(1, len(panel["targets"]) + 1)
    }
    assert {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]} <= set(headings)
    assert panel["options"]["sortBy"] == [{"desc": True, "displayName": "Failed"}]


def test_a_heatmap_reads_buckets_and_hides_empty_ones() -> None:
    (panel,) = _panels_of("heatmap")
    assert panel["options"]["calculate"] is False
    assert panel["options"]["filterValues"]["le"] > 0
    assert panel["options"]["yAxis"]["unit"] == "ms"
    assert [query["format"] for query in panel["targets"]] == ["heatmap"]


def test_lanes_say_in_words_what_their_numbers_mean() -> None:
    for panel in _panels_of("state-timeline"):
        (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
        assert set(mapping["options"]) == {"0", "1"}
        assert all(each["text"] and each["color"] for each in mapping["options"].values())
        assert panel["fieldConfig"]["defaults"]["custom"] == {"fillOpacity": 70, "lineWidth": 0}


def test_log_lines_open_to_their_details_newest_first() -> None:
    for panel in _panels_of("logs"):
        assert panel["options"]["enableLogDetails"] is True
        assert panel["options"]["sortOrder"] == "Descending"
