"""The least that takes a webhook durably: FastAPI, and one INSERT of the body. What `bench_webhooks.py` compares with."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import uvicorn
from fastapi import FastAPI, Request

Keep = Callable[[bytes], Awaitable[None]]


@asynccontextmanager
async def in_sqlite(path: str) -> AsyncIterator[Keep]:
    """Keep bodies in a file, with a sync for each as AWF's state has it."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "CREATE TABLE bodies (body BLOB)",
    ):
        connection.execute(statement)
    lock = asyncio.Lock()

    async def keep(body: bytes) -> None:
        async with lock:
            await asyncio.to_thread(connection.execute, "INSERT INTO bodies VALUES (?)", (body,))

    yield keep
    connection.close()


@asynccontextmanager
async def in_postgres(url: str, password: str) -> AsyncIterator[Keep]:
    """Keep bodies in a table of a PostgreSQL."""
    async with asyncpg.create_pool(url, password=password) as pool:
        await pool.execute("CREATE TABLE bodies (body BYTEA)")

        async def keep(body: bytes) -> None:
            await pool.execute("INSERT INTO bodies VALUES ($1)", body)

        yield keep


def app(database: str, password: str) -> FastAPI:
    @asynccontextmanager
    async def lifespan(made: FastAPI) -> AsyncIterator[None]:
        opened = in_postgres(database, password) if database.startswith("postgres") else in_sqlite(database)
        async with opened as made.state.keep:
            yield

    made = FastAPI(lifespan=lifespan)

    @made.post("/webhooks/grafana-alerts", status_code=202)
    async def take(request: Request) -> None:
        await request.app.state.keep(await request.body())

    return made


if __name__ == "__main__":
    port, database, password = sys.argv[1:]
    uvicorn.run(app(database, password), host="127.0.0.1", port=int(port), log_level="warning")
