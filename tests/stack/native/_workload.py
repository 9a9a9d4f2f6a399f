"""AWF's own processes in front of a native stack: `awf serve`, `awf demo`, and what stands where Grafana stands."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.e2e.product import Product
from tests.stack.native._grafana import GrafanaStandIn
from tests.stack.native._programs import Program, given
from tests.stack.native._stack import Stack
from tests.stack.native._webhook import Contact

SECRET = "the webhook secret of this test"
TOKEN = "the Grafana token of this test"


class Workload(Product):
    """The whole product on real stores: the stack, Grafana's stand-in, the service and the demo."""

    def __init__(self, folder: Path, **settings: str) -> None:
        data = folder / "data"
        data.mkdir()
        super().__init__(data, **settings)
        (data / "webhook-secret").write_text(SECRET)
        (data / "grafana-token").write_text(TOKEN)
        alertmanager = f"127.0.0.1:{self.ports['GRAFANA']}"
        self.stack = Stack(folder, alertmanager=alertmanager, TEMPO_BLOCKLIST_POLL="5s").add(
            "metrics", "loki", "tempo", "alloy"
        )
        self.environ |= {
            "AWF_OTLP_GRPC_PORT": str(self.stack.ports["alloy_otlp_grpc"]),
            "AWF_OTLP_HTTP_PORT": str(self.stack.ports["alloy_otlp_http"]),
            "PYTHONUNBUFFERED": "1",
        }
        self.grafana = GrafanaStandIn(
            self.ports["GRAFANA"],
            token=TOKEN,
            stores={
                "mimir": ("prometheus", self.stack.promql_url),
                "loki": ("loki", self.stack.url("loki")),
                "tempo": ("tempo", self.stack.url("tempo")),
            },
            contact=Contact(self.url("API", "/webhooks/grafana-alerts"), SECRET),
        )
        self.serve = self._awf("serve", "/readyz")
        self.demo = self._awf("demo", "/healthz")

    @staticmethod
    def metrics() -> str:
        """Which program keeps the metrics."""
        return "mimir" if given("mimir") else "prometheus"

    def _awf(self, name: str, ready: str) -> Program:
        command = (sys.executable, "-m", "awf", name)
        return Program(
            f"awf-{name}", command, self.environ, self.url("API", ready), self.stack.folder / "run"
        )

    def start(self) -> Workload:
        """Start everything and wait until all is ready."""
        self.grafana.start()
        for program in self.stack.programs.values():
            program.launch()
        self.serve.launch()
        for program in (*self.stack.programs.values(), self.serve):
            program.wait_ready()
        self.demo.launch()
        return self

    def stop(self) -> None:
        self.demo.stop()
        self.serve.stop()
        self.grafana.stop()
        self.stack.stop()

    def explain(self) -> str:
        """Say how the logs of all programs end."""
        return self._tail()

    def _tail(self) -> str:
        everything = (*self.stack.programs.values(), self.serve, self.demo)
        return "\n".join(program.tail() for program in everything)
