"""What every endpoint shares: bodies and parameters read with limits, errors in Grafana's shape."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse

from awf.errors import AwfError, InvalidInput, MalformedPayload, TooLarge

MAX_BODY_BYTES: Final = 1_000_000

Json = dict[str, Any]


def error_response(error: AwfError) -> JSONResponse:
    """Return the error as Grafana's clients expect it."""
    message = f"{error.message}. {error.hint}" if error.hint else error.message
    # Grafana says 400 where our tree says 422.
    status = 400 if isinstance(error, InvalidInput) else error.http_status
    return JSONResponse({"message": message}, status)


async def read_json(request: Request) -> Json:
    """Return the body, an object of limited size. Raises TooLarge, MalformedPayload, InvalidInput."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise TooLarge(f"the body is over {MAX_BODY_BYTES} bytes")
    try:
        body = json.loads(content)
        # What Python reads but cannot write back (NaN, half a surrogate pair) would fail every later answer.
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise MalformedPayload(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise InvalidInput("the body is not a JSON object")
    return body


def int_parameter(request: Request, name: str, default: int, *, most: int) -> int:
    """Return a query parameter between 0 and `most`. Raises InvalidInput naming it."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidInput(f"parameter {name} is {text!r:.40}, expected a whole number")
    return min(int(text), most)


def bool_parameter(request: Request, name: str, *, default: bool) -> bool:
    """Return a query parameter that is true or false. Raises InvalidInput naming it."""
    text = request.query_params.get(name, "").lower()
    if text not in {"", "true", "false", "1", "0"}:
        raise InvalidInput(f"parameter {name} is {text!r:.40}, expected true or false")
    return default if not text else text in {"true", "1"}
