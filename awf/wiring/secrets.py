"""The secrets of a single-machine set-up: made at the first start, kept in the data directory (0600)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from awf.core.http import client, raise_for_problem, reaching
from awf.core.secret_file import make_once
from awf.errors import DataDirError
from awf.settings import Settings

ADMIN, WORKER, WEBHOOK, GRAFANA = "admin-token", "worker-token", "webhook-secret", "grafana-token"
FILES = {"webhook_secret": WEBHOOK, "grafana_token": GRAFANA, "token": WORKER}
"""Setting -> the file that stands in for it on a single machine."""


def read_or_make(data_dir: Path, name: str) -> str:
    """Return the secret in `data_dir/name`, made when it is not there. Raises DataDirError."""
    path = data_dir / name
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            make_once(path, secrets.token_urlsafe(32).encode("ascii"))
        found = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise DataDirError(
            f"the data directory {data_dir} cannot be used: {error.strerror} ({path})",
            hint="Make it writable for this user, or set AWF_DATA_DIR to another folder.",
        ) from error
    if not found:
        raise DataDirError(f"{path} is empty", hint="Remove it: the next start makes a new one.")
    return found


def find(settings: Settings, setting: str) -> str:
    """Return a secret from its setting, else from the data directory if it was made there, else empty.

    Raises DataDirError when it is there and cannot be read, as with another user's data directory.
    """
    if given := settings.secret(setting):
        return given
    path = settings.data_dir / FILES[setting]
    try:
        return path.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise DataDirError(
            f"{path} cannot be read: {error.strerror}",
            hint=f"Run this as the user of the server, or set AWF_{setting.upper()}.",
        ) from error


@dataclass(frozen=True, slots=True)
class LocalSecrets:
    """What `awf up` gives to its children, so that ruler, service and demo trust one another."""

    data_dir: Path
    admin_token: str

    @classmethod
    def ensure(cls, settings: Settings) -> LocalSecrets:
        """Make what is missing. Raises DataDirError."""
        for name in (WORKER, WEBHOOK, GRAFANA):
            read_or_make(settings.data_dir, name)
        given = settings.secret("bootstrap_token")
        return cls(settings.data_dir, given or read_or_make(settings.data_dir, ADMIN))

    def environ(self, settings: Settings) -> dict[str, str]:
        """Return the children's environment: files for what the user did not set."""
        environ = {"AWF_DATA_DIR": str(settings.data_dir), "PYTHONUNBUFFERED": "1"}
        for setting, name in FILES.items():
            if not settings.secret(setting):
                environ[f"AWF_{setting.upper()}_FILE"] = str(self.data_dir / name)
        return environ

    async def login_link(self, settings: Settings) -> str:
        """Ask the service for a link that logs a browser in, once."""
        async with client(settings.api_base, token=self.admin_token) as http:
            with reaching("the AWF server", settings.api_base):
                response = await http.post("/api/v1/login-codes")
            raise_for_problem(response)
            return str(response.json()["url"])
