"""What tests of HTTP share: a gateway that serves it, and somebody who asks."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

PROJECT = "/v1/projects/demo"


@dataclass(frozen=True)
class Answer:
    """An answer, read to its end."""

    status: int
    headers: Any
    body: bytes
    json: Any


class Web:
    """Somebody who asks a gateway over HTTP; `gateway` is the same one, over gRPC."""

    def __init__(self, session: aiohttp.ClientSession, gateway: Any) -> None:
        self.session = session
        self.gateway = gateway

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        """Sends a request and reads the whole answer."""
        if isinstance(more.get("data"), bytes):
            more["data"] = io.BytesIO(more["data"])
        async with self.session.request(method, path, **more) as response:
            body = await response.read()
            is_json = response.content_type.endswith(("/json", "+json")) and body
            value = await response.json(content_type=None) if is_json else None
            return Answer(response.status, response.headers, body, value)

    async def upload(self, data: bytes, upload_id: str = "upload-0001") -> Any:
        """Uploads a file in one go; returns its reference."""
        answer = await self.ask("PUT", f"{PROJECT}/uploads/{upload_id}", data=data)
        assert answer.status == 200, answer
        return answer.json["artifact"]

    async def create(self, song: Any, query: str = "", **spec: Any) -> Any:
        """Creates a render; returns it."""
        body = {"spec": {"song": song, **spec}}
        answer = await self.ask("POST", f"{PROJECT}/renders{query}", json=body)
        assert answer.status == 200, answer
        return answer.json


@pytest.fixture
async def web(bench: Any) -> AsyncIterator[Web]:
    """Somebody who asks a gateway over HTTP."""
    async with (
        bench.gateway(http_listen="127.0.0.1:0") as gateway,
        aiohttp.ClientSession(gateway.http) as session,
    ):
        yield Web(session, gateway)
