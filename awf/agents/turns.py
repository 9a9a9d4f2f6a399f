"""Taking in turn what comes at the same time, all that waits at once: one unit of work for many requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from awf.errors import StateUnavailable, Unavailable

Q = TypeVar("Q")
A = TypeVar("A")

MAX_TOGETHER, MAX_WAITING = 50, 1_000


class Turns(Generic[Q, A]):
    """Answers questions by a function that answers many of them together."""

    def __init__(self, answer: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]) -> None:
        self._answer = answer
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """Return the answer. Raises what answering raises, and Unavailable while very many wait."""
        if len(self._waiting) >= MAX_WAITING:
            raise Unavailable(
                f"{MAX_WAITING} deliveries wait for their turn",
                hint="Nothing was taken; send it again later.",
            )
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._take_turns(), name="turns")
        return await future

    async def _take_turns(self) -> None:
        while self._waiting:
            turn, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
            await self._take(turn)

    async def _take(self, turn: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._answer([question for question, _ in turn])
        except Exception as error:  # boundary: whoever asked hears of it
            if len(turn) > 1 and not isinstance(error, StateUnavailable):
                for each in turn:  # one that cannot be answered is no harm to the others
                    await self._take([each])
                return
            for _, future in turn:
                if not future.done():
                    future.set_exception(error)
        except BaseException:
            for _, future in turn:
                future.cancel()
            raise
        else:
            for (_, future), answer in zip(turn, answers, strict=True):
                if not future.done():  # whoever asked may be gone
                    future.set_result(answer)
