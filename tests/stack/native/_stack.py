"""The stack natively: the repository's own config files, on free ports of loopback through the environment.

Natively only the environment differs from compose. There is one exception, in `metrics_to_prometheus`: Debian's
Prometheus takes no OTLP, so where it stands in for Mimir the metrics leave Alloy by remote write.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import yaml

from tests.e2e.product import free_ports
from tests.stack.native._programs import Program, given

REPOSITORY = Path(__file__).parents[3]
PORTS = (
    "mimir", "mimir_grpc", "mimir_gossip", "loki", "loki_grpc", "tempo", "tempo_grpc", "tempo_gossip",
    "tempo_otlp_grpc", "tempo_otlp_http", "alloy", "alloy_otlp_grpc", "alloy_otlp_http",
    "alloy_tls_grpc", "alloy_tls_http", "alloy_auth_grpc", "alloy_auth_http", "prometheus", "grafana",
)  # fmt: skip

OTLP_OUT = "metrics = [otelcol.exporter.otlphttp.mimir.input]"
REMOTE_WRITE_OUT = "metrics = [otelcol.exporter.prometheus.all.input]"
REMOTE_WRITE = """
otelcol.exporter.prometheus "all" {
	forward_to = [prometheus.remote_write.mimir.receiver]
}
"""


def metrics_to_prometheus(config: str) -> str:
    """Return config.alloy with its metrics going out by remote write instead of OTLP."""
    assert config.count(OTLP_OUT) == 1, "config.alloy no longer sends its metrics to Mimir in one place"
    return config.replace(OTLP_OUT, REMOTE_WRITE_OUT) + REMOTE_WRITE


class Stack:
    """Programs of one test, by name. Metrics go to Mimir where it is given, otherwise to Prometheus."""

    def __init__(
        self, folder: Path, *, alertmanager: str = "", is_unchanged: bool = False, **environ: str
    ) -> None:
        """`is_unchanged` keeps Alloy's metrics on OTLP even without Mimir; MIMIR_OTLP_URL then says where."""
        self.folder = folder
        self._is_unchanged = is_unchanged or bool(given("mimir"))
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._alertmanager = alertmanager
        self._environ = environ
        self.programs: dict[str, Program] = {}

    @property
    def metrics(self) -> str:
        """Which program keeps the metrics."""
        return "mimir" if given("mimir") else "prometheus"

    def address(self, name: str) -> str:
        return f"127.0.0.1:{self.ports[name]}"

    def url(self, name: str, path: str = "") -> str:
        return f"http://{self.address(name)}{path}"

    @property
    def promql_url(self) -> str:
        """Where PromQL is answered: the address before `/api/v1`."""
        return self.url("mimir", "/prometheus") if self.metrics == "mimir" else self.url("prometheus")

    @property
    def environ(self) -> dict[str, str]:
        """What compose says with host names, said with loopback and free ports."""
        push = self.url("mimir", "/api/v1/push")
        if self.metrics == "prometheus":
            push = self.url("prometheus", "/api/v1/write")
        port = {name: str(number) for name, number in self.ports.items()}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWF_", "OTEL_", "GF_"))}
        return inherited | {
            "MIMIR_LISTEN_ADDRESS": "127.0.0.1", "MIMIR_HTTP_PORT": port["mimir"],
            "MIMIR_GRPC_PORT": port["mimir_grpc"], "MIMIR_GOSSIP_PORT": port["mimir_gossip"],
            "MIMIR_DATA_DIR": str(self.folder / "mimir"), "MIMIR_RULES_DIR": str(self.folder / "mimir-rules"),
            "LOKI_LISTEN_ADDRESS": "127.0.0.1", "LOKI_HTTP_PORT": port["loki"], "LOKI_GRPC_PORT": port["loki_grpc"],
            "LOKI_DATA_DIR": str(self.folder / "loki"), "LOKI_RULES_DIR": str(self.folder / "loki-rules"),
            "TEMPO_LISTEN_ADDRESS": "127.0.0.1", "TEMPO_HTTP_PORT": port["tempo"],
            "TEMPO_GRPC_PORT": port["tempo_grpc"], "TEMPO_GOSSIP_PORT": port["tempo_gossip"],
            "TEMPO_OTLP_GRPC_PORT": port["tempo_otlp_grpc"], "TEMPO_OTLP_HTTP_PORT": port["tempo_otlp_http"],
            "TEMPO_DATA_DIR": str(self.folder / "tempo"),
            "ALLOY_OTLP_GRPC_ADDRESS": self.address("alloy_otlp_grpc"),
            "ALLOY_OTLP_HTTP_ADDRESS": self.address("alloy_otlp_http"),
            "ALLOY_TLS_GRPC_ADDRESS": self.address("alloy_tls_grpc"),
            "ALLOY_TLS_HTTP_ADDRESS": self.address("alloy_tls_http"),
            "ALLOY_AUTH_GRPC_ADDRESS": self.address("alloy_auth_grpc"),
            "ALLOY_AUTH_HTTP_ADDRESS": self.address("alloy_auth_http"),
            "ALLOY_SCRAPE_MIMIR": self.address(self.metrics), "ALLOY_SCRAPE_LOKI": self.address("loki"),
            "ALLOY_SCRAPE_TEMPO": self.address("tempo"), "ALLOY_SCRAPE_GRAFANA": self.address("grafana"),
            "MIMIR_PUSH_URL": push, "LOKI_PUSH_URL": self.url("loki", "/loki/api/v1/push"),
            "MIMIR_OTLP_URL": self.url("mimir", "/otlp"), "LOKI_OTLP_URL": self.url("loki", "/otlp"),
            "TEMPO_OTLP_URL": self.url("tempo_otlp_http"),
        } | self._environ  # fmt: skip

    def add(self, *names: str) -> Stack:
        """Make the programs ready to be started; `metrics` is Mimir or Prometheus."""
        for name in names:
            name = self.metrics if name == "metrics" else name
            self.programs[name] = getattr(self, f"_{name}")()
        return self

    def __getitem__(self, name: str) -> Program:
        return self.programs[self.metrics if name == "metrics" else name]

    def start(self) -> Stack:
        """Start everything at once, as compose does, and wait until all is ready."""
        for program in self.programs.values():
            program.launch()
        for program in self.programs.values():
            program.wait_ready()
        return self

    def stop(self) -> None:
        for program in reversed(list(self.programs.values())):
            program.stop()

    def _program(self, name: str, *arguments: str, ready: str) -> Program:
        command = (given(name), *arguments)
        return Program(name, command, self.environ, self.url(name, ready), self.folder / "run")

    def _mimir(self) -> Program:
        shutil.copytree(REPOSITORY / "rules/recording", self.folder / "mimir-rules" / "anonymous")
        config = REPOSITORY / "docker/mimir/mimir.yaml"
        return self._program("mimir", f"-config.file={config}", "-config.expand-env=true", ready="/ready")

    def _loki(self) -> Program:
        shutil.copytree(REPOSITORY / "rules/loki", self.folder / "loki-rules" / "fake")
        config = REPOSITORY / "docker/loki/loki.yaml"
        return self._program("loki", f"-config.file={config}", "-config.expand-env=true", ready="/ready")

    def _tempo(self) -> Program:
        config = REPOSITORY / "docker/tempo/tempo.yaml"
        return self._program("tempo", f"-config.file={config}", "-config.expand-env=true", ready="/ready")

    def alloy_folder(self) -> Path:
        """Return a folder with config.alloy as it runs here; further files may be put beside it."""
        folder = self.folder / "alloy-config"
        folder.mkdir(exist_ok=True)
        config = (REPOSITORY / "alloy/config.alloy").read_text()
        (folder / "config.alloy").write_text(config if self._is_unchanged else metrics_to_prometheus(config))
        return folder

    def _alloy(self) -> Program:
        return self._program(
            "alloy", "run", str(self.alloy_folder()), "--stability.level=public-preview", "--disable-reporting",
            f"--storage.path={self.folder / 'alloy'}", f"--server.http.listen-addr={self.address('alloy')}",
            ready="/-/ready",
        )  # fmt: skip

    def _prometheus(self) -> Program:
        """Prometheus has no config in the repository: it stands in for Mimir with the repository's rules."""
        config: dict[str, object] = {
            "global": {"evaluation_interval": "5s"},
            "rule_files": [str(REPOSITORY / "rules/recording/*"), str(REPOSITORY / "rules/alerts/*")],
            "storage": {"tsdb": {"out_of_order_time_window": "6h"}, "exemplars": {"max_exemplars": 100_000}},
        }
        if self._alertmanager:
            targets = [{"static_configs": [{"targets": [self._alertmanager]}]}]
            config["alerting"] = {"alertmanagers": targets}
        path = self.folder / "prometheus.yaml"
        path.write_text(yaml.safe_dump(config))
        return self._program(
            "prometheus", f"--config.file={path}", f"--storage.tsdb.path={self.folder / 'prometheus'}",
            f"--web.listen-address={self.address('prometheus')}", "--web.enable-remote-write-receiver",
            "--enable-feature=exemplar-storage,native-histograms", "--rules.alert.resend-delay=5s",
            ready="/-/ready",
        )  # fmt: skip
