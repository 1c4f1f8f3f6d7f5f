"""Streams between files and the object store: chunked, digested on the way, whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

CHUNK_BYTES = 8 << 20
"""Also the size of a multipart upload's parts: S3 wants at least 5 MiB and at most 10,000 parts."""


class DigestedFile:
    """A file's chunks as an async iterator; reading and digesting happen off the event loop."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await asyncio.to_thread(self._next):
            self.size_bytes += len(chunk)
            yield chunk

    def sha256(self) -> str:
        """The digest of what has been read so far, in hexadecimal digits."""
        return self._digest.hexdigest()

    def _next(self) -> bytes:
        chunk = self._file.read(CHUNK_BYTES)
        self._digest.update(chunk)
        return chunk


async def write_digested(chunks: AsyncIterator[bytes], file: IO[bytes]) -> str:
    """Writes chunks to a file off the event loop; returns their SHA-256 in hexadecimal digits."""
    digest = hashlib.sha256()

    def write(chunk: bytes) -> None:
        file.write(chunk)
        digest.update(chunk)

    async for chunk in chunks:
        await asyncio.to_thread(write, chunk)
    return digest.hexdigest()


@contextmanager
def appearing_whole(destination: Path) -> Iterator[IO[bytes]]:
    """Opens a file that gets its name when the block ends well, and goes when it does not."""
    with tempfile.NamedTemporaryFile(
        dir=destination.parent, prefix=f".{destination.name[:100]}.", suffix=".part", delete=False
    ) as file:
        part = Path(file.name)
        try:
            yield file
        except BaseException:
            part.unlink()
            raise
    part.replace(destination)
