"""A server that speaks OpenAI's and Anthropic's chat APIs on this machine, and answers what a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

Say = Callable[[str], str]


@dataclass
class ModelServer:
    """`say` makes the model's text out of all that it was told; `status` other than 200 answers an error."""

    say: Say
    status: int = 200
    hangs: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self.openai, methods=["POST"]),
                Route("/v1/messages", self.anthropic, methods=["POST"]),
            ]
        )

    @property
    def told(self) -> str:
        """All text that the model was last told."""
        return json.dumps(self.asked[-1], ensure_ascii=False)

    async def openai(self, request: Request) -> Response:
        def body(text: str) -> dict[str, Any]:
            message = {"role": "assistant", "content": text}
            usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
            return {
                "id": "c1", "object": "chat.completion", "created": 1, "model": "small", "usage": usage,
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            }  # fmt: skip

        return await self._answer(request, request.headers.get("authorization", ""), body)

    async def anthropic(self, request: Request) -> Response:
        def body(text: str) -> dict[str, Any]:
            return {
                "id": "m1", "type": "message", "role": "assistant", "model": "small", "stop_reason": "end_turn",
                "stop_sequence": None, "content": [{"type": "text", "text": text}],
                "usage": {"input_tokens": 10, "output_tokens": 5},
            }  # fmt: skip

        return await self._answer(
            request, request.headers.get("x-api-key") or request.headers.get("authorization", ""), body
        )

    async def _answer(self, request: Request, key: str, body: Callable[[str], dict[str, Any]]) -> Response:
        self.asked.append(await request.json())
        self.keys.append(key)
        while self.hangs and not await request.is_disconnected():
            await asyncio.sleep(0.05)
        if self.status != 200:
            return JSONResponse({"error": {"message": "out of order", "type": "server_error"}}, self.status)
        text = self.say(self.told)
        return PlainTextResponse(text) if text.startswith("<") else JSONResponse(body(text))


def choosing(hypothesis: int, action: str, **more: str) -> Say:
    """Return a model that always chooses the same."""
    answer = json.dumps({"hypothesis": hypothesis, "action": action, "summary": "s", "reason": "r"} | more)
    return lambda _: answer
