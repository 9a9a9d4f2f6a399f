"""Debian's Prometheus scrapes, writes to us, and both answer the same."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from awf.embedded.ports import reserve
from awf.embedded.server import EmbeddedConfig, EmbeddedServer, Ports
from tests.programs import require_program

pytestmark = pytest.mark.promtool

PAGE = b"""# HELP shop_orders Orders taken.
# TYPE shop_orders counter
shop_orders_total{shop="k\xc3\xb6ln"} 7 # {trace_id="abc"} 1
# TYPE shop_open gauge
shop_open NaN
# EOF
"""
CONFIG = """
global: {{scrape_interval: 500ms}}
remote_write:
  - url: {url}/api/v1/push
    send_exemplars: true
    metadata_config: {{send_interval: 1s}}
    queue_config: {{batch_send_deadline: 200ms}}
scrape_configs:
  - job_name: itself
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{shop}"]}}]
"""


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def shop() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    (tmp_path / "rules").mkdir()
    config = EmbeddedConfig(tmp_path / "embedded", tmp_path / "rules", ports=Ports(0, 0, 0, 0, 0, 0))
    server = EmbeddedServer(config)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def prometheus(
    tmp_path: Path, embedded: EmbeddedServer, shop: ThreadingHTTPServer
) -> AsyncIterator[str]:
    program = require_program("prometheus", "prometheus")
    (free,) = reserve("127.0.0.1", {"PROMETHEUS": 0})
    port = free.getsockname()[1]
    free.close()
    settings = {"url": embedded.addresses["mimir"], "port": port, "shop": shop.server_address[1]}
    (tmp_path / "prometheus.yml").write_text(CONFIG.format(**settings))
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
        yield f"http://127.0.0.1:{port}/api/v1"
        process.terminate()
        await asyncio.to_thread(process.wait, 20)


async def ask(client: httpx.AsyncClient, base: str, query: str, **more: str) -> list[Any]:
    try:
        answer = await client.get(f"{base}/query", params={"query": query, **more})
    except httpx.TransportError:
        return []
    if answer.status_code != 200:
        return []
    result = answer.json()["data"]["result"]
    return sorted(
        ([each["metric"], each["value"]] for each in result), key=lambda each: sorted(each[0].items())
    )


async def wait_for(client: httpx.AsyncClient, base: str, query: str, what: str) -> float:
    """Return the newest value that the query gives as soon as it gives one."""
    for _ in range(300):
        if found := await ask(client, base, query):
            return float(found[0][1][1])
        await asyncio.sleep(0.1)
    pytest.fail(f"no {what} within 30 seconds")


async def test_both_answer_the_same(
    embedded: EmbeddedServer, prometheus: str, shop: ThreadingHTTPServer
) -> None:
    ours = f"{embedded.addresses['mimir']}/prometheus/api/v1"
    async with httpx.AsyncClient(timeout=10) as client:
        query = "timestamp(count_over_time(prometheus_build_info[1m]) > 3) and on () (shop_orders_total == 7)"
        at = await wait_for(client, ours, query, "samples of both jobs")
        shop.shutdown()
        shop.server_close()
        later = await wait_for(
            client, ours, 'timestamp(up{job="shop"}) and up{job="shop"} == 0', "end of a target"
        )
        await wait_for(client, ours, f'timestamp(up{{job="itself"}}) > {later + 1}', "later samples")

        everything = '{job=~".+"}'
        for moment in (at, later):
            theirs = await ask(client, prometheus, everything, time=str(moment))
            assert len(theirs) > 300
            assert await ask(client, ours, everything, time=str(moment)) == theirs
        assert await ask(client, ours, "shop_orders_total", time=str(at)) != []
        # A stale marker came over: without it the last sample would answer for five minutes.
        assert await ask(client, ours, "shop_orders_total", time=str(later)) == []

        metadata = (await client.get(f"{ours}/metadata", params={"metric": "shop_orders"})).json()["data"]
        assert metadata == {"shop_orders": [{"type": "counter", "help": "Orders taken.", "unit": ""}]}
        span = {"query": "shop_orders_total", "start": str(at - 60), "end": str(later)}
        (found,) = (await client.get(f"{ours}/query_exemplars", params=span)).json()["data"]
        assert found["exemplars"][0]["labels"] == {"trace_id": "abc"}
