"""Untrusted text on its way into chats."""

from __future__ import annotations

from urllib.parse import urlsplit

from awf.core.escape import plain_text
from awf.errors import ConfigError

MAX_TEXT = 3000


def inert(text: str) -> str:
    """Return text in which chat programs find no markup: a label may hold `<!channel>` or `<https://x|click>`."""
    kept = plain_text(text, MAX_TEXT)
    return kept.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def shown_host(url: str) -> str:
    """Return an address without its path, which often is its secret. Raises ConfigError for what is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError(f"{url!r} is no address of the web", hint="Write it as https://host/path.")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
