"""Untrusted text on its way into chats."""

from __future__ import annotations

from awf.core.escape import plain_text

MAX_TEXT = 3000


def inert(text: str) -> str:
    """Return text in which chat programs find no markup: a label may hold `<!channel>` or `<https://x|click>`."""
    kept = plain_text(text, MAX_TEXT)
    return kept.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def quiet(text: str) -> str:
    """Return text for chats whose markup is not known: nobody is mentioned, no link hides behind other words."""
    kept = plain_text(text, MAX_TEXT)
    for mark, other in (("<", "‹"), (">", "›"), ("@", "＠"), ("](", "] ("), ("`", "'")):
        kept = kept.replace(mark, other)
    return kept
