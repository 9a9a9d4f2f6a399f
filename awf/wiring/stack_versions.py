"""Which versions of the stack run: asked at the addresses and with the tokens that the settings have."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from awf.errors import AwfError
from awf.settings import Settings
from awf.stack.programs import Running, ask_all
from awf.state.connecting import create_runner, is_postgres, parse


async def running_versions(settings: Settings, at: Mapping[str, str]) -> dict[str, Running]:
    """Return what each program says; `at` has the addresses that a person gave. Raises ConfigError."""
    addresses = {"awf": settings.api_base, "grafana": settings.grafana_base}
    if settings.mcp_read_url:
        parts = urlsplit(settings.mcp_read_url)
        addresses["mcp-grafana"] = f"{parts.scheme}://{parts.netloc}"
    tokens = {"mcp-grafana": settings.secret("mcp_read_token")}
    found = await ask_all(addresses | dict(at), tokens)
    return found | {"postgres": await _postgres(settings)}


async def _postgres(settings: Settings) -> Running:
    if not settings.database_url:
        return Running(trouble="AWF_DATABASE_URL is not set")
    try:
        url = parse(settings.database_url)
        if not is_postgres(url):
            return Running(trouble="AWF_DATABASE_URL is not PostgreSQL")
        password = settings.secret("database_password")
        runner = create_runner(url, (lambda: password) if password else None)
        try:
            return Running(await runner.run(_version, writes=False))
        finally:
            await runner.aclose()
    except (AwfError, SQLAlchemyError, OSError) as error:
        return Running(trouble=f"PostgreSQL does not answer: {error}")


def _version(connection: Connection) -> str:
    return str(connection.exec_driver_sql("SHOW server_version").scalar_one())
