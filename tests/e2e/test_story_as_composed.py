"""The story once more as compose wires it: state on PostgreSQL, mcp-grafana as two servers, secrets in files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from awf.agents import _mcp_tools as tools
from tests.e2e.product import Product
from tests.mcp_grafana import McpGrafana
from tests.postgres import PASSWORD, Postgres

GRAFANA_TOKEN = "the token of the embedded Grafana"


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    url = postgres.new_database()
    yield url
    postgres.drop(url)


@pytest.fixture
async def product(tmp_path: Path, database: str) -> AsyncIterator[Product]:
    secrets = {
        "DATABASE_PASSWORD": PASSWORD, "MCP_READ_TOKEN": "token to read", "MCP_ANNOTATE_TOKEN": "token to annotate",
        "WORKER_TOKEN": "token of a worker", "TOKEN": "token of a worker", "GRAFANA_TOKEN": GRAFANA_TOKEN,
    }  # fmt: skip
    for name, secret in secrets.items():
        (tmp_path / name).write_text(f"{secret}\n")
    product = Product(
        tmp_path / "data", AWF_DATABASE_URL=database, AWF_MCP_GRAFANA="no-such-program",
        AWF_DEMO_FAULTS="agent_errors:10", AWF_SETTLE_S="5", AWF_GROUP_WAIT_S="1",
        **{f"AWF_{name}_FILE": str(tmp_path / name) for name in secrets},
    )  # fmt: skip
    servers = {
        name: McpGrafana(
            product.url("GRAFANA"),
            flags=flags,
            token=secrets[f"MCP_{name}_TOKEN"],
            grafana_token=GRAFANA_TOKEN,
        )
        for name, flags in (("READ", tools.READ_FLAGS), ("ANNOTATE", tools.WRITE_FLAGS))
    }
    product.environ |= {f"AWF_MCP_{name}_URL": server.url for name, server in servers.items()}
    async with servers["READ"], servers["ANNOTATE"]:
        product.start()
        yield product
        if product.is_running:
            product.stop()


async def test_a_fault_becomes_a_verified_fix(product: Product, postgres: Postgres, database: str) -> None:
    def resolved() -> dict[str, Any] | None:
        found = product.items("/incidents")
        return next((each for each in found if each["status"] == "resolved"), None)

    incident = product.wait_for("resolved incident", resolved, 180)
    assert incident["cause"] == {"class": "agent_error", "target": incident["cause"]["target"]}
    assert (incident["action"]["name"], incident["action"]["outcome"]) == ("switch_fallback", "verified")
    assert {each["signal"] for each in incident["hypotheses"][0]["evidence"]} >= {"metrics", "logs", "traces"}
    annotation = product.wait_for("annotation", lambda: product.annotations(["awf", "remediation"]), 30)
    assert any("switch_fallback" in each["text"] for each in annotation)
    assert product.api("GET", "/audit/verify").json()["entries"] > 0
    name = database.rpartition("/")[2]
    assert postgres.sql("SELECT count(*) FROM incidents WHERE status = 'resolved'", database=name) == "1"
    assert not (product.data_dir / "state.db").exists()
    product.stop()
