"""Every setting, from the environment (`AWF_*`), a `.env` file or the defaults below.

`docs/settings.md` is generated from the descriptions; an unknown `AWF_*` name is an error.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from awf.core.secret_file import read_secret
from awf.errors import ConfigError

PREFIX = "AWF_"
TEST_PREFIX = "AWF_TEST_"

Port = Annotated[int, Field(ge=0, le=65535)]


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "awf"


def _expand(value: object) -> object:
    return Path(value).expanduser() if isinstance(value, str) else value


def _web_address(value: object) -> object:
    """Let only through what a browser would follow: it is in every notice, link and rule."""
    if not isinstance(value, str) or not value:
        return value
    try:
        parts = urlsplit(value)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # such as a port that is none
        is_address = False
    if not is_address or not value.isprintable() or " " in value:
        raise ValueError("expected an address that begins with http:// or https:// and names a host")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("expected an address without user, query and fragment: paths are put behind it")
    return value


class Settings(BaseSettings):
    """What a process of AWF was told. Build it with `load`, which reports mistakes in one sentence."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    data_dir: Annotated[Path, BeforeValidator(_expand)] = Field(
        default_factory=_default_data_dir, description="Where telemetry, state and secrets are kept."
    )
    database_url: str = Field(
        "",
        repr=False,
        description="Where state is kept: postgresql://user@host:5432/name; default: SQLite in the data directory.",
    )
    database_password: SecretStr = Field(
        SecretStr(""), description="Password for AWF_DATABASE_URL, which then need not hold one."
    )
    database_password_file: Path | None = Field(None, description="File that holds AWF_DATABASE_PASSWORD.")
    host: str = Field("127.0.0.1", description="Address that every server binds to.")
    allowed_hosts: str = Field(
        "", description="Further Host names that the embedded servers answer to, comma separated."
    )
    api_port: Port = Field(8000, description="API, webhooks and pages.")
    grafana_port: Port = Field(3000, description="Grafana's HTTP API (embedded).")
    mimir_port: Port = Field(9009, description="Prometheus query API under /prometheus (embedded).")
    loki_port: Port = Field(3100, description="Loki query API (embedded).")
    tempo_port: Port = Field(3200, description="Tempo query API (embedded).")
    otlp_grpc_port: Port = Field(4317, description="OTLP over gRPC (embedded).")
    otlp_http_port: Port = Field(4318, description="OTLP over HTTP (embedded).")

    api_url: str = Field(
        "", description="Where engines and the CLI reach the API; default http://HOST:API_PORT."
    )
    public_url: Annotated[str, BeforeValidator(_web_address)] = Field(
        "", description="Where people's browsers reach the API; default the same."
    )
    grafana_url: str = Field("", description="Grafana; default http://HOST:GRAFANA_PORT.")
    grafana_token: SecretStr = Field(SecretStr(""), description="Service account token for Grafana.")
    grafana_token_file: Path | None = Field(None, description="File that holds AWF_GRAFANA_TOKEN.")
    datasource_metrics: str = Field("mimir", description="uid of the Prometheus datasource in Grafana.")
    datasource_logs: str = Field("loki", description="uid of the Loki datasource in Grafana.")
    datasource_traces: str = Field("tempo", description="uid of the Tempo datasource in Grafana.")
    mcp_grafana: str = Field("mcp-grafana", description="The mcp-grafana program.")
    mcp_read_url: str = Field(
        "",
        description="mcp-grafana over HTTP for queries, such as http://mcp-grafana-read:8000/mcp; default: a process of our own.",
    )
    mcp_read_token: SecretStr = Field(SecretStr(""), description="Bearer token of AWF_MCP_READ_URL.")
    mcp_read_token_file: Path | None = Field(None, description="File that holds AWF_MCP_READ_TOKEN.")
    mcp_annotate_url: str = Field(
        "", description="mcp-grafana over HTTP for annotations; default: a process of our own."
    )
    mcp_annotate_token: SecretStr = Field(SecretStr(""), description="Bearer token of AWF_MCP_ANNOTATE_URL.")
    mcp_annotate_token_file: Path | None = Field(None, description="File that holds AWF_MCP_ANNOTATE_TOKEN.")
    mcp_timeout_s: float = Field(10.0, gt=0, description="Limit of one call to mcp-grafana, in seconds.")

    bootstrap_token: SecretStr = Field(SecretStr(""), description="First admin token, for automation.")
    bootstrap_token_file: Path | None = Field(None, description="File that holds AWF_BOOTSTRAP_TOKEN.")
    worker_token: SecretStr = Field(
        SecretStr(""),
        description="Token of role worker that the server accepts from engines; default: one is made.",
    )
    worker_token_file: Path | None = Field(None, description="File that holds AWF_WORKER_TOKEN.")
    token: SecretStr = Field(SecretStr(""), description="Token that the CLI and engines send to the API.")
    token_file: Path | None = Field(None, description="File that holds AWF_TOKEN.")
    webhook_secret: SecretStr = Field(
        SecretStr(""),
        description="Shared secret of Grafana's webhook. Without it the watcher never acts alone.",
    )
    webhook_secret_file: Path | None = Field(None, description="File that holds AWF_WEBHOOK_SECRET.")
    webhook_max_bytes: int = Field(1_000_000, gt=0, description="Largest webhook body accepted, in bytes.")

    workflows: str = Field("", description="Workflows the server runs itself, as module:registry.")
    workers: int = Field(4, ge=1, le=1000, description="Executions an engine runs at once.")

    spool_dir: Path | None = Field(
        None, description="Where events wait for the collector; default: spool/ in the data directory."
    )
    spool_max_mb: int = Field(
        1024, gt=0, description="Most megabytes of events that wait; beyond it new ones are refused."
    )
    spool_max_age_s: float = Field(
        604_800.0, gt=0, description="Events older than this are given up, in seconds."
    )
    spool_fsync_s: float = Field(
        1.0,
        ge=0,
        description="How often events are put on the disk itself, in seconds; 0: the system decides.",
    )
    export_content: bool = Field(
        False, description="Export inputs and outputs of workflows as span attributes, masked."
    )

    redact_file: Path | None = Field(
        None, description="What else is masked in telemetry: `patterns` and `secret_names` (YAML or JSON)."
    )
    redact_patterns: str = Field(
        "", description='Further patterns to mask, as JSON: {"employee": "EMP-[0-9]{6}"}.'
    )
    redact_secret_names: str = Field(
        "", description="Further names whose values are masked, comma separated."
    )
    redact_reversible: bool = Field(
        False, description="Keep what is masked, encrypted in the data directory, for `awf redact reveal`."
    )

    lease_s: float = Field(
        15.0,
        ge=1,
        description="After how long without a heartbeat another service takes this one's incidents over, in seconds.",
    )
    policy_file: Path | None = Field(None, description="Policy (YAML); default: the built-in table.")
    playbook_file: Path | None = Field(
        None, description="Playbook (YAML): what may help against which cause, before the built-in plays."
    )
    actions_dir: Path | None = Field(
        None, description="Actions of your own: Python files with a SPEC, and scripts with a manifest (YAML)."
    )
    actions_open_network: Literal["refuse", "warn"] = Field(
        "refuse",
        description="What happens where a script's network cannot be closed: `refuse` the start, or `warn`.",
    )
    llm_model: str = Field(
        "",
        description="Model that may advise the watcher, such as gpt-5-mini; empty: the rules alone decide.",
    )
    llm_provider: Literal["openai", "anthropic"] = Field(
        "openai", description="Whose API it speaks: openai (also local servers and proxies) or anthropic."
    )
    llm_base_url: str = Field("", description="Where it answers; default: the provider's own service.")
    llm_api_key: SecretStr = Field(SecretStr(""), description="Key or token for the model.")
    llm_api_key_file: Path | None = Field(None, description="File that holds AWF_LLM_API_KEY.")
    llm_timeout_s: float = Field(
        10.0, gt=0, description="After how many seconds without its answer the rules decide."
    )
    settle_s: float = Field(
        15.0, ge=0, description="Wait between an action and its verification, in seconds."
    )
    alert_poll_s: float = Field(
        30.0, ge=0,
        description="How often Grafana is asked what fires, for webhooks that were lost, in seconds; 0: never.",
    )  # fmt: skip
    alert_folders: str = Field(
        "AWF,AWF alerts",
        description="Folders of Grafana whose alerts concern the watcher though no webhook came.",
    )
    verify_timeout_s: float = Field(
        120.0, gt=0, description="How long verification waits for enough data before it is inconclusive."
    )
    control_timeout_s: float = Field(10.0, gt=0, description="How long engines have to acknowledge a change.")
    approval_ttl_s: float = Field(3600.0, gt=0, description="How long an approval waits for a person.")
    cooldown_s: float = Field(300.0, ge=0, description="Least time between two actions on one target.")
    max_actions_per_hour: int = Field(20, ge=0, description="Most automatic actions in one hour.")
    block_after: int = Field(
        3, ge=0, description="So many actions that did not help in a row block a target; 0: never."
    )
    block_window_s: float = Field(21_600.0, gt=0, description="How long a failed action counts, in seconds.")
    dry_run: bool = Field(
        False, description="Decide as usual and say what would be done, but do nothing: incidents are held."
    )
    oncall_webhook_url: str = Field(
        "", description="A webhook where people are told; default: log and incident page."
    )
    channels_file: Path | None = Field(
        None,
        description="Further channels by which people are told (YAML): Slack, PagerDuty, e-mail, webhooks.",
    )

    rules_dir: Path | None = Field(None, description="Rules for the embedded ruler; default: generated ones.")
    slo_file: Path | None = Field(
        None, description="Service level objectives (OpenSLO, YAML); default: the packaged ones."
    )
    rule_interval_s: float = Field(
        5.0, gt=0, description="How often the embedded ruler evaluates, in seconds."
    )
    group_wait_s: float = Field(2.0, ge=0, description="Wait for further alerts before a first notification.")
    group_interval_s: float = Field(60.0, gt=0, description="Least time between notifications of one group.")
    repeat_interval_s: float = Field(
        14_400.0, gt=0, description="When an unchanged firing group is sent again."
    )
    store_memory_mb: int = Field(
        1_024,
        ge=128,
        description="Memory of the embedded store: its database, its newest samples, its labels.",
    )
    store_max_mb: int = Field(
        10_240, ge=64, description="Disk of the embedded store; its oldest day goes when it is exceeded."
    )
    retention_days: int = Field(30, ge=1, description="How long the embedded store keeps rows, in days.")
    query_timeout_s: float = Field(
        30.0, gt=0, description="When the embedded APIs end a query, waiting included, in seconds."
    )
    query_threads: int = Field(4, ge=1, description="How many queries the embedded APIs run at once.")

    demo_faults: str = Field(
        "agent_errors:60,worker_shortage:75", description="name:seconds, comma separated."
    )
    demo_rate: float = Field(1.0, gt=0, description="Executions per second that the demo starts.")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR."
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="Log records as JSON, one a line, or as text."
    )

    @property
    def own_address(self) -> str:
        """Where a process of this machine reaches what binds to `host`, as a URL has it."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"[{host}]" if ":" in host else host

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches what binds to `host`."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name, or everything
            return False

    @property
    def api_base(self) -> str:
        return self.api_url or f"http://{self.own_address}:{self.api_port}"

    @property
    def public_base(self) -> str:
        return self.public_url or self.api_base

    @property
    def grafana_base(self) -> str:
        return self.grafana_url or f"http://{self.own_address}:{self.grafana_port}"

    @property
    def spool_directory(self) -> Path:
        return self.spool_dir or self.data_dir / "spool"

    def secret(self, name: str) -> str:
        """Return a secret from its setting or its file; empty when neither is set."""
        value: SecretStr = getattr(self, name)
        if value.get_secret_value():
            return value.get_secret_value()
        path: Path | None = getattr(self, f"{name}_file")
        if path is None:
            return ""
        return read_secret(path, f"{PREFIX}{name.upper()}_FILE={path}")


def check_names(environ: Mapping[str, str]) -> None:
    """Refuse unknown `AWF_*` variables. Raises ConfigError naming each and its nearest match."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(
        name for name in environ
        if name.startswith(PREFIX) and not name.startswith(TEST_PREFIX) and name not in known
    )  # fmt: skip
    if not unknown:
        return
    parts = []
    for name in unknown:
        near = difflib.get_close_matches(name, known, n=1)
        parts.append(f"{name} (did you mean {near[0]}?)" if near else name)
    raise ConfigError(
        f"unknown setting {', '.join(parts)}", hint="docs/settings.md lists every AWF_* variable."
    )


def load(**overrides: object) -> Settings:
    """Read the settings: arguments, then the environment, then defaults. Raises ConfigError."""
    check_names(os.environ)
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{'_'.join(str(part) for part in first['loc']).upper()}"
        raise ConfigError(
            f"{name}={first['input']!r}: {first['msg']}", hint="docs/settings.md describes every setting."
        ) from error
