"""Hostile text in the Markdown report: to a renderer that lets HTML through, none of it is markup."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from markdown_it import MarkdownIt
from markdown_it.token import Token

from awf.api.report import render_report
from tests.security._hostile import hostile_incident
from tests.security._strings import HOSTILE

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HERE = "http://awf.example/ui/incidents/inc_hostile"
OF_LAYOUT = {
    "heading", "paragraph", "inline", "text", "softbreak", "bullet_list", "list_item", "strong", "link", "code_inline",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


def tokens(report: str) -> Iterator[Token]:
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for token in markdown.parse(report):
        yield from (token, *(token.children or ()))


def test_a_report_holds_our_own_markup_and_their_text() -> None:
    incident, _ = hostile_incident(NOW)
    report = render_report(incident, HERE)
    found = list(tokens(report))
    assert {token.type.removesuffix("_open").removesuffix("_close") for token in found} <= OF_LAYOUT
    links = {str(token.attrs["href"]) for token in found if token.type == "link_open"}
    assert HERE in links
    assert links <= {HERE, *(text for text in HOSTILE if text.startswith("http://"))}
    assert report.replace("\n", "").isprintable()
    assert "alert(document.domain)" in report
