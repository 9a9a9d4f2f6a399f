"""Templates to responses; everything shown is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from awf.api.access import current_session
from awf.api.runtime import get_runtime
from awf.api.ui import words
from awf.api.ui.arguments import shown_arguments
from awf.core.clock import isoformat
from awf.core.ports import Principal
from awf.errors import AwfError

HERE = Path(__file__).parent


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        STATUS_WORDS=words.STATUS_WORDS,
        TONES=words.TONES,
        CAUSE_WORDS=words.CAUSE_WORDS,
        action_words=words.action_words,
        asked_words=words.asked_words,
        advice_words=words.advice_words,
        chosen_words=words.chosen_words,
        done_words=words.done_words,
        run_time_ms=words.run_time_ms,
    )
    environment.filters.update(
        ago=words.ago,
        duration=words.duration,
        isoformat=isoformat,
        number=words.number,
        pretty=words.pretty,
        sentence=words.sentence,
        shown=shown_arguments,
        web_link=words.web_link,
    )
    return environment


_TEMPLATES = _environment()


def is_page(request: Request) -> bool:
    """Whether a person looks at the answer."""
    path = request.url.path
    return path in ("/", "/docs") or path == "/ui" or path.startswith("/ui/")


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page. Every template knows who looks, the CSRF token and the time."""
    runtime = get_runtime(request)
    session = current_session(request)
    principal: Principal | None = request.scope.get("awf.principal")
    html = _TEMPLATES.get_template(template).render(
        {
            "now": runtime.clock.now(),
            "path": request.url.path,
            "principal": principal,
            "csrf_token": session.csrf_token if session else "",
            "version": runtime.version,
            "pending_count": 0,
            "is_paused": False,
            **context,
        }
    )
    return HTMLResponse(html, status_code=status)


def problem_page(request: Request, error: AwfError) -> HTMLResponse:
    return render(request, "problem.html", status=error.http_status, problem=error.problem())
