"""The object store: how files travel between services.

Writing is create-if-absent: whoever loses a race gets the winner's reference. Reading verifies the
digest. Nothing is held in memory whole but what the caller asks for as bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, NotFoundError
from obstore.store import LocalStore, ObjectStore, S3Store

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight_kit.errors import DataLoss, InvalidArgument, NotFound

CHUNK_BYTES = 1 << 20

_MEDIA_TYPES = {
    ".flac": "audio/flac",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".mp4": "video/mp4",
    ".png": "image/png",
}
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


class ArtifactStore:
    """Files below one base URL, addressed by key (`projects/p/clips/...`) or by reference."""

    def __init__(self, store: ObjectStore, base_url: str) -> None:
        self._store = store
        self._base_url = base_url.rstrip("/")

    @classmethod
    def open(cls, url: str) -> ArtifactStore:
        """Opens the store at `file:///folder` (made if absent) or `s3://bucket/prefix`.

        S3 credentials, region and endpoint come from the usual AWS_ variables.

        Raises:
            InvalidArgument: for another kind of URL.
        """
        parts = urlsplit(url)
        if parts.scheme == "file" and parts.path and not parts.netloc:
            folder = unquote(parts.path)
            return cls(LocalStore(folder, mkdir=True), url)
        if parts.scheme == "s3" and parts.netloc:
            prefix = parts.path.strip("/") or None
            return cls(S3Store(parts.netloc, prefix=prefix), url)
        raise InvalidArgument(f"{url!r} is no object store: use file:///folder or s3://bucket")

    def uri(self, key: str) -> str:
        """Returns the absolute URI of a key."""
        return f"{self._base_url}/{_checked(key)}"

    def key_of(self, uri: str) -> str:
        """Returns the key of a URI.

        Raises:
            InvalidArgument: for a URI outside this store.
        """
        if not uri.startswith(self._base_url + "/"):
            raise InvalidArgument(
                f"{uri!r} does not lie in the artifact store", reason="FOREIGN_URI", field="uri"
            )
        return _checked(uri.removeprefix(self._base_url + "/"))

    async def put_file(self, key: str, path: Path, media_type: str = "") -> ArtifactRef:
        """Stores a file unless the key exists; returns what lies there afterwards."""
        digest, size = await asyncio.to_thread(_digest_and_size, path)
        try:
            await obstore.put_async(self._store, _checked(key), path, mode="create")
        except AlreadyExistsError:
            return await self._existing(key, media_type)
        return self._reference(key, digest, size, media_type)

    async def put_bytes(self, key: str, data: bytes, media_type: str = "") -> ArtifactRef:
        """Stores bytes unless the key exists; returns what lies there afterwards."""
        try:
            return await self._put(key, data, media_type, "create")
        except AlreadyExistsError:
            return await self._existing(key, media_type)

    async def replace_bytes(self, key: str, data: bytes, media_type: str = "") -> ArtifactRef:
        """Stores bytes whether or not the key exists."""
        return await self._put(key, data, media_type, "overwrite")

    async def get_file(self, artifact: ArtifactRef, destination: Path) -> None:
        """Fetches a file; it appears under its name only when it is whole.

        Raises:
            NotFound: when it is not there.
            DataLoss: when its digest is not the reference's.
            InvalidArgument: for a reference outside this store.
        """
        digest = hashlib.sha256()
        with _appearing_whole(destination) as file:
            async for chunk in self.stream(artifact):
                digest.update(chunk)
                file.write(chunk)
            if artifact.sha256 and digest.hexdigest() != artifact.sha256:
                raise DataLoss(f"{artifact.uri} is not what it was: its digest differs")

    async def get_bytes(self, artifact: ArtifactRef, max_bytes: int) -> bytes:
        """Fetches a small file.

        Raises:
            InvalidArgument: when it is larger than `max_bytes`, or outside this store.
            NotFound, DataLoss: as `get_file`.
        """
        data = bytearray()
        async for chunk in self.stream(artifact):
            data += chunk
            if len(data) > max_bytes:
                raise InvalidArgument(f"{artifact.uri} is larger than {max_bytes} bytes")
        if artifact.sha256 and hashlib.sha256(data).hexdigest() != artifact.sha256:
            raise DataLoss(f"{artifact.uri} is not what it was: its digest differs")
        return bytes(data)

    async def stream(self, artifact: ArtifactRef) -> AsyncIterator[bytes]:
        """Yields a file in chunks, unverified."""
        try:
            result = await obstore.get_async(self._store, self.key_of(artifact.uri))
        except (NotFoundError, FileNotFoundError):
            raise NotFound("artifact", artifact.uri) from None
        async for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
            yield bytes(chunk)

    async def read_range(self, artifact: ArtifactRef, offset: int, length: int) -> bytes:
        """Returns `length` bytes from `offset`, fewer at the end of the file."""
        key = self.key_of(artifact.uri)
        length = min(length, await self._size(key, artifact.uri) - offset)
        if length <= 0:
            return b""
        return bytes(await obstore.get_range_async(self._store, key, start=offset, length=length))

    async def head(self, key: str) -> ArtifactRef | None:
        """Returns a reference to a key (without digest), or None when nothing is there."""
        try:
            meta = await obstore.head_async(self._store, _checked(key))
        except (NotFoundError, FileNotFoundError):
            return None
        return self._reference(key, "", meta["size"], "")

    async def list(self, prefix: str) -> list[str]:
        """Returns the keys below a prefix, sorted."""
        keys = []
        async for batch in obstore.list(self._store, prefix):
            keys += [entry["path"] for entry in batch]
        return sorted(keys)

    async def delete(self, key: str) -> None:
        """Removes a key; one that is not there is no error."""
        try:
            await obstore.delete_async(self._store, _checked(key))
        except (NotFoundError, FileNotFoundError):
            return

    async def _put(
        self, key: str, data: bytes, media_type: str, mode: Literal["create", "overwrite"]
    ) -> ArtifactRef:
        await obstore.put_async(self._store, _checked(key), data, mode=mode)
        return self._reference(key, hashlib.sha256(data).hexdigest(), len(data), media_type)

    async def _existing(self, key: str, media_type: str) -> ArtifactRef:
        """Returns the reference of what another writer stored."""
        digest, size = hashlib.sha256(), 0
        async for chunk in self.stream(ArtifactRef(uri=self.uri(key))):
            digest.update(chunk)
            size += len(chunk)
        return self._reference(key, digest.hexdigest(), size, media_type)

    async def _size(self, key: str, uri: str) -> int:
        try:
            return int((await obstore.head_async(self._store, key))["size"])
        except (NotFoundError, FileNotFoundError):
            raise NotFound("artifact", uri) from None

    def _reference(self, key: str, sha256: str, size: int, media_type: str) -> ArtifactRef:
        guessed = _MEDIA_TYPES.get(Path(key).suffix, "application/octet-stream")
        return ArtifactRef(
            uri=self.uri(key), sha256=sha256, size_bytes=size, media_type=media_type or guessed
        )


def project_key(project: str, *parts: str) -> str:
    """Returns `projects/{project}/...`; the parts may hold slashes."""
    return _checked("/".join(("projects", project, *parts)))


def ensure_project(store: ArtifactStore, artifact: ArtifactRef, project: str) -> None:
    """Raises NotFound for an artifact of another project: whether it exists is not told."""
    if not store.key_of(artifact.uri).startswith(f"projects/{project}/"):
        raise NotFound("artifact", artifact.uri)


def _digest_and_size(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


@contextmanager
def _appearing_whole(destination: Path) -> Iterator[IO[bytes]]:
    """Opens a file that gets its name when the block ends well, and goes when it does not."""
    with tempfile.NamedTemporaryFile(
        dir=destination.parent, prefix=destination.name + ".", suffix=".part", delete=False
    ) as file:
        part = Path(file.name)
        try:
            yield file
        except BaseException:
            part.unlink()
            raise
    part.replace(destination)


def _checked(key: str) -> str:
    """Returns the key if every segment is a plain name, so that none leads elsewhere."""
    if not all(_SEGMENT.fullmatch(segment) for segment in key.split("/")):
        raise InvalidArgument(f"{key!r} is no key of the artifact store", field="uri")
    return key
