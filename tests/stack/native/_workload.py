"""AWF's own processes in front of a native stack: `awf serve`, `awf demo`, Grafana or its stand-in, mcp-grafana."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.e2e.product import Product, free_ports
from tests.stack._compose import SERVICES
from tests.stack.native._grafana import GrafanaStandIn
from tests.stack.native._programs import Program, given, require
from tests.stack.native._real_grafana import RealGrafana
from tests.stack.native._stack import Stack
from tests.stack.native._webhook import Contact

SECRET = "the-webhook-secret-of-this-test"
TOKEN = "the-grafana-token-of-this-test"
MCP_TOKEN = "the-token-of-the-mcp-servers-of-this-test"


class Workload(Product):
    """The whole product on real stores. With `mcp_servers` mcp-grafana runs twice as a server, as in compose;
    otherwise the service starts it as its children."""

    def __init__(self, folder: Path, *, mcp_servers: bool = False, **settings: str) -> None:
        data = folder / "data"
        data.mkdir()
        super().__init__(data, **settings)
        (data / "webhook-secret").write_text(SECRET)
        # Where there is a Grafana, its own rules fire.
        grafana = f"127.0.0.1:{self.ports['GRAFANA']}"
        alertmanager = "" if given("grafana") else grafana
        environ = {"TEMPO_BLOCKLIST_POLL": "5s", "ALLOY_SCRAPE_GRAFANA": grafana}
        self.stack = Stack(folder, alertmanager=alertmanager, **environ)
        self.stack.add("metrics", "loki", "tempo", "alloy")
        self.environ |= {
            "AWF_OTLP_GRPC_PORT": str(self.stack.ports["alloy_otlp_grpc"]),
            "AWF_OTLP_HTTP_PORT": str(self.stack.ports["alloy_otlp_http"]),
            "PYTHONUNBUFFERED": "1",
        }
        self.grafana = self._real_grafana() if given("grafana") else self._stand_in()
        self.servers = self._mcp_servers() if mcp_servers else []
        self.serve = self._awf("serve", "/readyz")
        self.demo = self._awf("demo", "/healthz")

    @staticmethod
    def require(*, alerts: bool = False) -> None:
        """Skip unless everything is given that it needs; alerts are evaluated by Grafana or by Prometheus."""
        require("alloy", "loki", "tempo", "mimir" if given("mimir") else "prometheus")
        if alerts and given("mimir"):
            require("grafana")

    def start(self) -> Workload:
        """Start everything and wait until all is ready, the demo last."""
        for program in self.stack.programs.values():
            program.launch()
        self.grafana.start()
        for program in (*self.servers, self.serve):
            program.launch()
        for program in (*self.stack.programs.values(), *self.servers, self.serve):
            program.wait_ready()
        self.demo.launch()
        # At its start the demo forgets faults that were ordered before it.
        self.wait_for("execution of the demo", lambda: self.items("/executions"), 60)
        return self

    def stop(self) -> None:
        for program in (self.demo, self.serve, *self.servers):
            program.stop()
        self.grafana.stop()
        self.stack.stop()

    def explain(self) -> str:
        """Say how the logs of all programs end."""
        everything = (*self.stack.programs.values(), *self.servers, self.serve, self.demo)
        return "\n".join(program.tail() for program in everything)

    _tail = explain

    def _awf(self, name: str, ready: str) -> Program:
        command = (sys.executable, "-m", "awf", name)
        return Program(
            f"awf-{name}", command, self.environ, self.url("API", ready), self.stack.folder / "run"
        )

    def _stand_in(self) -> GrafanaStandIn:
        token = self.data_dir / "grafana-token"
        token.write_text(TOKEN)
        return GrafanaStandIn(
            self.ports["GRAFANA"],
            token_file=token,
            stores={
                "mimir": ("prometheus", self.stack.promql_url),
                "loki": ("loki", self.stack.url("loki")),
                "tempo": ("tempo", self.stack.url("tempo")),
            },
            contact=Contact(self.url("API", "/webhooks/grafana-alerts"), SECRET),
        )

    def _real_grafana(self) -> RealGrafana:
        grafana = RealGrafana(
            self.stack, self.environ, port=self.ports["GRAFANA"], awf_url=self.url("API"), secret=SECRET
        )
        self.environ["AWF_GRAFANA_TOKEN_FILE"] = str(grafana.annotate_token)
        return grafana

    def _mcp_servers(self) -> list[Program]:
        """Return the two servers with compose's flags, and tell the service where they are."""
        tokens = {"read": self.grafana.read_token, "annotate": self.grafana.annotate_token}
        program = str(Path(sys.executable).with_name("mcp-grafana"))
        found = []
        for (half, token), port in zip(tokens.items(), free_ports(2), strict=True):
            flags = SERVICES[f"mcp-grafana-{half}"]["environment"]["FLAGS"].split()
            address = f"127.0.0.1:{port}"
            command = (
                program, "--transport", "streamable-http", "--address", address, "--allowed-hosts", address, *flags,
            )  # fmt: skip
            environ = self.stack.environ | {
                "GRAFANA_URL": self.url("GRAFANA"), "GRAFANA_SERVICE_ACCOUNT_TOKEN_FILE": str(token),
                "GRAFANA_ORG_ID": "1", "GRAFANA_USAGE_STATS": "disabled", "MCP_GRAFANA_SERVER_TOKEN": MCP_TOKEN,
            }  # fmt: skip
            name = f"mcp-grafana-{half}"
            found.append(
                Program(name, command, environ, f"http://{address}/healthz", self.stack.folder / "run")
            )
            self.environ |= {
                f"AWF_MCP_{half.upper()}_URL": f"http://{address}/mcp",
                f"AWF_MCP_{half.upper()}_TOKEN": MCP_TOKEN,
            }
        return found
