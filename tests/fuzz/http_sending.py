"""Sends bytes to an HTTP server, and judges what comes back.

Answers are read by the standard library, which has nothing in common with the server. Whatever was
asked, the server answers with a status of success or one meant for callers, and then with a problem
document that says the same (RFC 9457).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from fuzz.sending import DEADLINE_S

NOT_FOR_CALLERS: Final = frozenset({499, 500, 502, 503, 504})
"""Statuses that no request may bring about: faults, and blame on another server."""
PROBLEM: Final = "application/problem+json"


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    media_type: str
    body: bytes

    @property
    def reason(self) -> str:
        """Why a request was refused, as the API's errors name it; empty for success and HEAD."""
        has_problem = self.media_type == PROBLEM and self.body
        return str(json.loads(self.body)["reason"]) if has_problem else ""


async def exchange(
    address: str, pieces: Sequence[bytes], *, patience_s: float = DEADLINE_S, leave: bool = False
) -> bytes:
    """Sends pieces over a connection of its own; gives all that came until the server closed it.

    Args:
        patience_s: how long to wait for each further byte.
        leave: says that nothing more will be sent, as soon as all is.

    Raises TimeoutError when the server keeps still, and the connection open.
    """
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    received = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if leave:
            writer.write_eof()
        async with asyncio.timeout(patience_s):
            while chunk := await reader.read(1 << 20):
                received += chunk
    except ConnectionError:
        pass  # It need not read to its end what it refuses.
    except TimeoutError:
        if patience_s == DEADLINE_S:
            raise
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return received


class _Received:
    """What came, in the place of a socket."""

    def __init__(self, received: bytes) -> None:
        self.file = io.BytesIO(received)
        self.file.close = lambda: None  # type: ignore[method-assign]

    def makefile(self, mode: str) -> io.BytesIO:
        """As a socket does."""
        return self.file


def answers(received: bytes, *, to_head: bool = False) -> list[Answer]:
    """The answers in what came. Raises HTTPException for what is none, or not whole."""
    source = _Received(received)
    found = []
    while source.file.tell() < len(received):
        response = http.client.HTTPResponse(cast(Any, source), method="HEAD" if to_head else "GET")
        response.begin()
        body = response.read()
        found.append(Answer(response.status, response.headers.get_content_type(), body))
    return found


def check(answer: Answer, *, to_head: bool = False) -> None:
    """Fails unless an answer is one that callers may get."""
    assert answer.status not in NOT_FOR_CALLERS, answer
    if answer.status < 400:
        return
    assert answer.media_type == PROBLEM, answer
    if not to_head:
        problem = json.loads(answer.body)
        assert problem["status"] == answer.status, answer
        assert all(problem[member] for member in ("title", "detail", "code", "reason")), answer


def held() -> tuple[int, int]:
    """How many tasks the running loop has, and how many sockets this process."""
    links = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # The folder that is being read is closed by now.
            links.append(link.readlink().name)
    return len(asyncio.all_tasks()), sum(name.startswith("socket:") for name in links)
