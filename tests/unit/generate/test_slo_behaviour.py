"""What the SLO rules say of traffic, of none, of restarts and outages, and when an error budget's alert fires."""

from __future__ import annotations

from pathlib import Path

import pytest

from awf.generate.slo import load_slos
from tests.unit.generate._promtool import Case, case, check, values

ABOUT = 'slo="workflow-success",subject="research",workflow_id="research"'
WORKFLOW = f"{{{ABOUT}}}"
FAST = {"severity": "critical", "slo": "workflow-success", "subject": "research", "workflow_id": "research"}
SLOW = FAST | {"severity": "warning"}
VERY_FAST, QUICK = "AWFErrorBudgetBurnsVeryFast", "AWFErrorBudgetBurnsFast"
STEADY, DRAIN = "AWFErrorBudgetBurnsSteadily", "AWFErrorBudgetBurnsSlowly"


def of(
    completed: str = "", failed: str = "", instance: str = "a", workflow: str = "research"
) -> dict[str, str]:
    """Return the counters of a workflow's executions in one process."""
    about = f'workflow_id="{workflow}",job="w",instance="{instance}"'
    found = {"completed": completed, "failed": failed}
    return {f'awf_workflow_total{{{about},status="{name}"}}': text for name, text in found.items() if text}


def together(*cases: Case) -> Case:
    """Return cases about the same series as one, which takes their time once."""
    return cases[0] | {"alert_rule_test": [each["alert_rule_test"][0] for each in cases]}


def recorded(name: str, digits: float = 0.0001) -> str:
    """Return the query for a recorded series of the workflow SLO, rounded."""
    return f'round(awf:{name}{{slo="workflow-success"}}, {digits})'


def errors(window: str) -> str:
    return recorded(f"slo_errors:ratio_rate{window}")


SLOWLY = of("0+197x1000", "0+3x1000")
MINUTES: dict[str, Case] = {
    "a budget that is overspent is less than nothing": values(
        of("0+97x100", "0+3x100"), (recorded("error_budget_remaining:ratio", 0.01), "90m", {WORKFLOW: -2}), every="1m"
    ),
    "the remaining budget is weighted by traffic": values(
        # Ten minutes of heavy traffic without a failure, then fifty of which a tenth fails: 50 bad ones of 10500.
        of("0+1000x10 10009+9x49 10450x20", "0x10 1+1x49 50x20"),
        (recorded("error_budget_remaining:ratio", 0.01), "70m", {WORKFLOW: 0.52}),
        (errors("5m"), "60m", {WORKFLOW: 0.1}),
        every="1m",
    ),
    "a workflow that never ran has no figures": values(
        of("0x100", "0x100"),
        *((errors(window), "90m", {}) for window in ("5m", "1h", "30d")),
        (recorded("error_budget_remaining:ratio"), "90m", {}),
        every="1m",
    ),
    "a pause is neither good nor bad": values(
        of("0+99x60 5940x120", "0+1x60 60x120"),
        (errors("5m"), "3h", {}),
        (errors("1h"), "3h", {}),
        (errors("6h"), "3h", {WORKFLOW: 0.01}),
        (recorded("error_budget_remaining:ratio", 0.01), "3h", {WORKFLOW: 0}),
        every="1m",
    ),
    "a workflow without a failure has spent nothing": values(
        of("0+10x100"), (errors("1h"), "90m", {WORKFLOW: 0}),
        (recorded("error_budget_remaining:ratio", 0.01), "90m", {WORKFLOW: 1}), every="1m",
    ),
    "cancelled executions count neither way": values(
        of("0+10x100") | {'awf_workflow_total{workflow_id="research",job="w",instance="a",status="cancelled"}': "0+90x100"},
        (recorded("slo_total:increase5m", 1), "90m", {WORKFLOW: 50}), every="1m",
    ),
    "a counter that begins anew is no loss and no surge": values(
        of("0+99x60 0+99x60", "0+1x60 0+1x60"),
        *((recorded("slo_total:increase5m", 1), f"{minute}m", {WORKFLOW: total})
          for minute, total in ((60, 500), (61, 0), (63, 200), (66, 500), (90, 500))),
        (errors("2h"), "110m", {WORKFLOW: 0.01}),
        every="1m",
    ),
    "the first failure of a process that ran before counts": values(
        of("0+1x60", "_x41 1x20"), (recorded("slo_bad:increase5m"), "43m", {WORKFLOW: 1}),
        (recorded("slo_bad:increase5m"), "50m", {WORKFLOW: 0}), every="1m",
    ),
    "the first execution of a workflow in a process that ran others counts": values(
        of("0+1x60", workflow="other") | of("_x41 1x20"),
        ('awf:slo_total:increase5m{workflow_id="research"}', "43m", {f"awf:slo_total:increase5m{WORKFLOW}": 1}), every="1m",
    ),
    "an old count that a process brings along does not": values(
        of("0+10x60") | of("_x41 5000+10x20", "_x41 900x20", instance="b"),
        (recorded("slo_bad:increase5m"), "45m", {WORKFLOW: 0}),
        (f"{recorded('slo_total:increase5m', 1)} < bool 120", "45m", {WORKFLOW: 1}),
        every="1m",
    ),
    "what was counted while nothing arrived is heard of after it": values(
        of("0+10x30 _x40 700+10x30", "0x30 _x40 40x30"),
        (recorded("slo_bad:increase5m"), "50m", {}),
        (recorded("slo_bad:increase5m"), "72m", {WORKFLOW: 40}),
        (recorded("slo_bad:increase5m"), "80m", {WORKFLOW: 0}),
        every="1m",
    ),
    "two processes are added up": values(
        of("0+9x100", "0+1x100") | of("0+10x100", instance="b"), (errors("1h"), "90m", {WORKFLOW: 0.05}), every="1m"
    ),
    "a step that takes long is bad, one that fails is none of this SLO": values(
        {
            'awf_step_duration_ms_count{workflow_id="r",step_id="s",status="completed",job="w",instance="a"}': "0+10x90",
            'awf_step_duration_ms_bucket{le="30000",workflow_id="r",step_id="s",status="completed",job="w",instance="a"}': "0+9x90",
            'awf_step_duration_ms_bucket{le="60000",workflow_id="r",step_id="s",status="completed",job="w",instance="a"}': "0+10x90",
            'awf_step_duration_ms_count{workflow_id="r",step_id="s",status="failed",job="w",instance="a"}': "0+10x90",
        },
        ('round(awf:slo_bad:increase5m{slo="step-latency"}, 1)', "80m", {'{slo="step-latency",subject="r/s",workflow_id="r",step_id="s"}': 5}),
        ('round(awf:slo_total:increase5m{slo="step-latency"}, 1)', "80m", {'{slo="step-latency",subject="r/s",workflow_id="r",step_id="s"}': 50}),
        ('awf:slo_objective:ratio{slo="step-latency"}', "80m", {'awf:slo_objective:ratio{slo="step-latency"}': 0.95}),
        every="1m",
    ),
    "a bound that a backend writes with a point is the same one": values(
        {
            'awf_step_duration_ms_count{workflow_id="r",step_id="s",status="completed",job="w",instance="a"}': "0+10x90",
            'awf_step_duration_ms_bucket{le="30000.0",workflow_id="r",step_id="s",status="completed",job="w",instance="a"}': "0+9x90",
        },
        ('round(awf:slo_errors:ratio_rate1h{slo="step-latency"}, 0.01)', "80m", {'{slo="step-latency",subject="r/s",workflow_id="r",step_id="s"}': 0.1}),
        every="1m",
    ),
    "agents have an objective of their own": values(
        {
            'awf_agent_invocations_total{agent_id="writer",status="completed",job="w",instance="a"}': "0+8x90",
            'awf_agent_invocations_total{agent_id="writer",status="failed",job="w",instance="a"}': "0+2x90",
        },
        ('round(awf:slo_total:increase5m{slo="agent-success"}, 1)', "80m", {'{slo="agent-success",subject="writer",agent_id="writer"}': 50}),
        ('round(awf:slo_bad:increase5m{slo="agent-success"}, 1)', "80m", {'{slo="agent-success",subject="writer",agent_id="writer"}': 10}),
        ('awf:slo_objective:ratio{slo="agent-success"}', "80m", {'awf:slo_objective:ratio{slo="agent-success"}': 0.95}),
        every="1m",
    ),
    # -- alerts
    "a fifth failing for an hour burns very fast": case(VERY_FAST, "65m", of("0+8x90", "0+2x90"), True, FAST, "1m"),
    "one bad minute is nothing to get up for": together(
        *(case(name, at, of("0+10x60 600x1 610+10x30", "0x60 10x31"), False, {}, "1m")
          for name, at in ((VERY_FAST, "61m"), (VERY_FAST, "63m"), (QUICK, "61m"), (STEADY, "90m"), (DRAIN, "90m")))
    ),
    "an outage that is over does not burn on": case(
        VERY_FAST, "90m", of("0+8x60 480+10x60", "0+2x60 120x60"), False, FAST, "1m"
    ),
    "no traffic burns nothing": case(VERY_FAST, "90m", of("50x120", "50x120"), False, FAST, "1m"),
    "no series burn nothing": case(VERY_FAST, "90m", {"up": "1x120"}, False, FAST, "1m"),
    "two failures of a workflow that hardly runs are none": case(
        VERY_FAST, "65m", of("1x90", "0x20 1x20 2x50"), False, FAST, "1m"
    ),
    "three in an hour are": case(
        VERY_FAST, "67m", of("1x90", "0x20 1x10 2x30 3x30"), True, FAST, "1m"
    ),
    "a restart is no failure": case(VERY_FAST, "65m", of("0+10x60 0+10x60", "7x60 0x60"), False, FAST, "1m"),
    "an old count brought along is none": case(
        VERY_FAST, "65m", of("0+10x90") | of("_x60 50+1x30", "_x60 5000x30", instance="b"), False, FAST, "1m"
    ),
}  # fmt: skip

DAYS: dict[str, Case] = {
    "a half-spent budget is half left, in every window": values(
        of("0+199x400", "0+1x400"),
        *(
            (errors(window), "6h", {WORKFLOW: 0.005})
            for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
        ),
        (recorded("error_budget_remaining:ratio", 0.01), "6h", {WORKFLOW: 0.5}),
        (
            'awf:slo_objective:ratio{slo="workflow-success"}',
            "6h",
            {'awf:slo_objective:ratio{slo="workflow-success"}': 0.99},
        ),
        (recorded("slo_total:increase5m", 1), "6h", {WORKFLOW: 1000}),
        (recorded("slo_bad:increase5m", 1), "6h", {WORKFLOW: 5}),
        every="1m",
    ),
    "a fifth failing for six hours burns fast": case(
        QUICK, "6h10m", of("0+8x400", "0+2x400"), True, FAST, "1m"
    ),
    "a slow burn is told, wakes nobody, and is no other one": together(
        case(DRAIN, "3d2h", SLOWLY, True, SLOW, "5m"),
        *(case(name, "3d2h", SLOWLY, False, {}, "5m") for name in (VERY_FAST, QUICK, STEADY)),
    ),
    "what the objective allows is no alert": case(
        DRAIN, "3d2h", of("0+199x1000", "0+1x1000"), False, SLOW, "5m"
    ),
    "a slow burn that ended yesterday is over": case(
        DRAIN, "4d", of("0+97x800 77600+100x500", "0+3x800 2400x500"), False, SLOW, "5m"
    ),
    "four percent for a day are told": case(STEADY, "25h", of("0+96x400", "0+4x400"), True, SLOW, "5m"),
    "a bad minute a day is within a slow burn's budget": case(
        DRAIN, "3d2h", of("0+100x1000", "0x100 1x300 2x300 3x300"), False, SLOW, "5m"
    ),
}


@pytest.mark.promtool
def test_windows_budgets_and_fast_burns(tmp_path: Path) -> None:
    check(MINUTES, tmp_path, only=("slo_",), step="1m")


@pytest.mark.promtool
def test_slow_burns(tmp_path: Path) -> None:
    check(DAYS, tmp_path, only=("slo_",), step="15m")


@pytest.mark.promtool
def test_an_objective_that_allows_much_is_still_watched(tmp_path: Path) -> None:
    """14.4 times a budget of one half is more than everything: what fails wholly has to be told all the same."""
    file = tmp_path / "slos.yaml"
    text = (
        Path(load_slos.__globals__["DEFAULT_FILE"]).read_text().replace("target: 0.99", "targetPercent: 50")
    )
    file.write_text(text)
    cases = {
        "all failing is": case(VERY_FAST, "65m", of("0x90", "0+2x90"), True, FAST, "1m"),
        "three quarters are not": case(VERY_FAST, "65m", of("0+1x90", "0+3x90"), False, FAST, "1m"),
    }
    check(cases, tmp_path / "rules", only=("slo_",), step="1m", slos=load_slos(file))
