"""The client of an OpenAI-style videos API: create, ask, fetch, delete.

What passes (429, 5xx, a broken connection) is tried again, after `Retry-After` or with growing
pauses; what is left is one of the suite's errors. Deadlines are the caller's, but that no single
answer is waited for longer than a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from soundsight_kit.errors import DataLoss, SoundsightError, Unavailable
from soundsight_videogen.remote.faults import WRONG_VIDEO, away, refusal

if TYPE_CHECKING:
    import httpx2

log = structlog.get_logger()

T = TypeVar("T")

ANSWER_TIMEOUT_S = 60.0
DELETE_TIMEOUT_S = 5.0
ATTEMPTS = 5
FIRST_PAUSE_S = 0.5
MOST_PAUSE_S = 60.0
MAX_FILE_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Job:
    """A job at the server; `progress` is in percent."""

    id: str
    status: str
    progress: float
    error: str

    @classmethod
    def read(cls, answer: Any) -> Job:
        """From what the server says; raises Unavailable when that is no job."""
        if not isinstance(answer, dict) or not answer.get("id"):
            raise away("it answered with something that is no job")
        error = answer.get("error") or {}
        try:
            progress = float(answer.get("progress") or 0)
        except (TypeError, ValueError):
            progress = 0.0
        return cls(
            str(answer["id"]),
            str(answer.get("status", "")),
            progress,
            str(error.get("message", "")) if isinstance(error, dict) else str(error),
        )


class VideosApi:
    """A server's videos API.

    Args:
        base_url: such as `http://gpu-box:8091/v1`.
        key: sent as a bearer token; none is sent when empty.
    """

    def __init__(self, base_url: str, key: str = "") -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._opened: httpx2.AsyncClient | None = None

    async def create(self, fields: Mapping[str, str], start: Path | None = None) -> Job:
        """Creates a job of form fields, with a first picture where there is one."""
        form: list[tuple[str, Any]] = [(name, (None, value)) for name, value in fields.items()]
        if start is not None:
            picture = await asyncio.to_thread(start.read_bytes)
            form.append(("input_reference", (start.name + ".png", picture, "image/png")))
        return Job.read(await self._json("POST", "/videos", files=form))

    async def ask(self, job: str) -> Job:
        """How a job stands."""
        return Job.read(await self._json("GET", f"/videos/{job}"))

    async def fetch(self, job: str, destination: Path) -> None:
        """Fetches a finished job's file; one that breaks off is fetched again."""

        async def once() -> None:
            async with self._answer("GET", f"/videos/{job}/content") as answer:
                size_bytes = 0
                with destination.open("wb") as file:
                    async for chunk in answer.aiter_bytes(1 << 18):
                        size_bytes += len(chunk)
                        if size_bytes > MAX_FILE_BYTES:
                            raise DataLoss(
                                "the remote server's file has no end", reason=WRONG_VIDEO
                            )
                        file.write(chunk)

        await _patiently(once)

    async def delete(self, job: str) -> None:
        """Deletes a job, or says in the log that it could not."""
        try:
            async with asyncio.timeout(DELETE_TIMEOUT_S):
                async with self._answer("DELETE", f"/videos/{job}"):
                    pass
        except (SoundsightError, TimeoutError) as error:
            log.warning("remote job not deleted", job=job, why=str(error))

    async def close(self) -> None:
        """Closes the connections."""
        if self._opened is not None:
            await self._opened.aclose()

    async def _json(self, method: str, path: str, **sent: Any) -> Any:
        async def once() -> Any:
            async with self._answer(method, path, **sent) as answer:
                await answer.aread()
                try:
                    return answer.json()
                except ValueError:
                    raise away("its answer is no JSON") from None

        return await _patiently(once)

    @asynccontextmanager
    async def _answer(self, method: str, path: str, **sent: Any) -> AsyncIterator[httpx2.Response]:
        """One call, without another try."""
        import httpx2

        if self._opened is None:
            self._opened = httpx2.AsyncClient(headers=self._headers, timeout=ANSWER_TIMEOUT_S)
        try:
            async with self._opened.stream(method, self._base_url + path, **sent) as answer:
                if answer.status_code >= 300:
                    await answer.aread()
                    raise refusal(answer.status_code, answer.text, answer.headers)
                yield answer
        except httpx2.HTTPError as error:
            raise away(type(error).__name__) from error


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    pause_s = FIRST_PAUSE_S
    for _ in range(ATTEMPTS - 1):
        try:
            return await call()
        except Unavailable as error:
            wait_s = pause_s if error.retry_after_s is None else error.retry_after_s
            if wait_s > MOST_PAUSE_S:
                raise
            log.warning("remote server asked again", why=error.message, pause_s=wait_s)
        await asyncio.sleep(wait_s)
        pause_s *= 2
    return await call()
