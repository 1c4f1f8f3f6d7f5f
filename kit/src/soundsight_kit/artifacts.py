"""The object store: how files travel between services.

Writing is create-if-absent: whoever loses a race gets the winner's reference. Reading verifies the
digest. Files stream in chunks, so that their size does not matter to memory.

How a write stays atomic on every kind of store: the bytes are first uploaded to a name of their own
below `.staging/`; then a small *record* (digest, size, media type, staged name) is created below
`.records/` only if absent, which decides the race; then the bytes are moved to the key. Whoever
finds a record whose bytes still lie staged finishes the move, so that a writer's death in between
leaves nothing half done. Objects that others put at a key have no record; their digest is then
computed by reading them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, GenericError
from obstore.store import LocalStore, ObjectStore, S3Store

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight_kit.errors import DataLoss, InvalidArgument, NotFound, OutOfRange, Unavailable
from soundsight_kit.transfer import CHUNK_BYTES, DigestedFile, appearing_whole, write_digested

_UPLOADS_AT_ONCE = 4
_STAGING, _RECORDS = ".staging", ".records"
_CLAIM_ATTEMPTS = 3
_MAX_KEY_CHARACTERS = 800
_HALF_WRITTEN = re.compile(r"#\d+$")
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=+@-]{0,199}")

_NO_PLACE = {
    "(os error 20)": "one of its folders is a file",
    "(os error 21)": "it is a folder",
}
"""What ENOTDIR and EISDIR mean, as the store spells them."""

# Not `mimetypes`: it reads tables of the machine it runs on.
_MEDIA_TYPES = {
    ".flac": "audio/flac",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".png": "image/png",
    ".wav": "audio/wav",
    ".webp": "image/webp",
    ".webm": "video/webm",
}


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
        if parts.scheme == "file" and parts.path.strip("/") and not parts.netloc:
            # Spelled in one way only, so that equal folders give equal URIs.
            folder = os.path.normpath(unquote(parts.path))
            return cls(LocalStore(folder, mkdir=True), f"file://{quote(folder)}")
        if parts.scheme == "s3" and parts.netloc:
            prefix = parts.path.strip("/")
            plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
            store = S3Store(
                parts.netloc,
                prefix=prefix or None,
                # The default of half a minute covers a whole body, however long it is.
                client_options={"timeout": "1h", "connect_timeout": "10s", "allow_http": plain},
                retry_config={"max_retries": 5},
            )
            return cls(store, f"s3://{parts.netloc}/{prefix}")
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
        """Stores a file unless the key exists; returns what lies there afterwards.

        Without a media type, the key's ending decides.
        """

        async def upload(staged: str) -> tuple[str, int]:
            # Not in a thread: a cancellation in between would lose the open file.
            with path.open("rb") as file:
                chunks = DigestedFile(file)
                await obstore.put_async(
                    self._store,
                    staged,
                    chunks,
                    use_multipart=True,
                    chunk_size=CHUNK_BYTES,
                    max_concurrency=_UPLOADS_AT_ONCE,
                )
            return chunks.sha256(), chunks.size_bytes

        return await self._put(key, upload, media_type)

    async def put_bytes(self, key: str, data: bytes, media_type: str = "") -> ArtifactRef:
        """Stores bytes unless the key exists; returns what lies there afterwards."""

        async def upload(staged: str) -> tuple[str, int]:
            await obstore.put_async(self._store, staged, data)
            return hashlib.sha256(data).hexdigest(), len(data)

        return await self._put(key, upload, media_type)

    async def replace_bytes(self, key: str, data: bytes, media_type: str = "") -> ArtifactRef:
        """Stores bytes whether or not the key exists. The last writer wins."""
        await self._discard(_record_key(key))
        await obstore.put_async(self._store, _checked(key), data, mode="overwrite")
        digest = hashlib.sha256(data).hexdigest()
        return self._reference(_Record(key, digest, len(data), media_type or _media_type(key)))

    async def get_file(self, artifact: ArtifactRef | str, destination: Path) -> None:
        """Fetches a file by reference or URI; it appears under its name only when it is whole.

        Raises:
            NotFound: when it is not there.
            DataLoss: when its digest is not the reference's.
            InvalidArgument: for a URI outside this store.
        """
        with appearing_whole(destination) as file:
            _verify(artifact, await write_digested(self.stream(artifact), file))

    async def get_bytes(self, artifact: ArtifactRef | str, max_bytes: int) -> bytes:
        """Fetches a small file by reference or URI.

        Raises:
            InvalidArgument: when it is larger than `max_bytes`, or outside this store.
            NotFound, DataLoss: as `get_file`.
        """
        data = bytearray()
        async for chunk in self.stream(artifact):
            data += chunk
            if len(data) > max_bytes:
                raise InvalidArgument(
                    f"{_uri_of(artifact)} is larger than {max_bytes} bytes",
                    reason="ARTIFACT_TOO_LARGE",
                )
        _verify(artifact, hashlib.sha256(data).hexdigest())
        return bytes(data)

    async def stream(self, artifact: ArtifactRef | str) -> AsyncIterator[bytes]:
        """Yields a file in chunks, unverified."""
        uri = _uri_of(artifact)
        with _saying_what_is_missing(uri):
            result = await obstore.get_async(self._store, self.key_of(uri))
            async for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)

    async def read_range(self, artifact: ArtifactRef | str, offset: int, length: int) -> bytes:
        """Returns `length` bytes from `offset`, fewer at the end of the file.

        Raises:
            InvalidArgument: for a negative offset or a length below 1.
            OutOfRange: when the offset lies at or beyond the end.
            NotFound: when the file is not there.
        """
        if offset < 0 or length < 1:
            raise InvalidArgument(f"no range starts at {offset} and has {length} bytes")
        uri = _uri_of(artifact)
        key = self.key_of(uri)
        with _saying_what_is_missing(uri):
            try:
                part = await obstore.get_range_async(self._store, key, start=offset, length=length)
            except GenericError:
                # Stores tell a range beyond the end in their own words.
                size = (await obstore.head_async(self._store, key))["size"]
                if offset < size:
                    raise
                raise OutOfRange(f"{uri} ends at byte {size}, before {offset}") from None
        return bytes(part)

    async def head(self, key: str) -> ArtifactRef | None:
        """Returns the reference of what lies at a key, or None when nothing does.

        Cheap for what `put_...` has stored; anything else is read to get its digest.
        """
        record = await self._read_record(key)
        size = await self._size_of(key)
        if record is not None and size != record.size_bytes:
            await self._finish_move(record)
            size = await self._size_of(key)
        if size is None:
            return None
        if record is not None and size == record.size_bytes:
            return self._reference(record)
        digest = hashlib.sha256()
        size = 0
        try:
            async for chunk in self.stream(self.uri(key)):
                await asyncio.to_thread(digest.update, chunk)
                size += len(chunk)
        except NotFound:
            return None
        return self._reference(_Record(key, digest.hexdigest(), size, _media_type(key)))

    async def list(self, prefix: str) -> list[str]:
        """Returns the keys below a prefix (whole segments; empty for all), sorted."""
        if prefix:
            _checked(prefix.rstrip("/"))
        keys: list[str] = []
        async for batch in obstore.list(self._store, prefix or None):
            keys += [entry["path"] for entry in batch]
        return sorted(key for key in keys if not key.startswith("."))

    async def discard_abandoned(self) -> int:
        """Removes bytes that writers left staged when they died; returns how many files those were.

        Only for a store that nobody else writes to: a file that is being uploaded looks the same.
        """
        staged = await self._paths_below(_STAGING)
        if staged:
            for path in await self._paths_below(_RECORDS):
                key = path.removeprefix(f"{_RECORDS}/").removesuffix(".json")
                record = await self._read_record(key)
                if record is not None:
                    # Its move is finished by whoever reads the key next.
                    staged.discard(record.staged)
        for path in staged:
            await self._discard(path)
        return len(staged) + await asyncio.to_thread(self._discard_half_written)

    def _discard_half_written(self) -> int:
        """Removes what writes left that were killed: a store that is a folder names such files
        `name#1` and leaves them out of every list."""
        parts = urlsplit(self._base_url)
        if parts.scheme != "file":
            return 0
        below = Path(unquote(parts.path)).rglob("*#*")
        half = [path for path in below if _HALF_WRITTEN.search(path.name) and path.is_file()]
        for path in half:
            path.unlink(missing_ok=True)
        return len(half)

    async def _paths_below(self, folder: str) -> set[str]:
        return {
            entry["path"] async for batch in obstore.list(self._store, folder) for entry in batch
        }

    async def delete(self, key: str) -> None:
        """Removes a key; one that is not there is no error."""
        # The record first: without it the object is still whole, without the object it is a lie.
        await self._discard(_record_key(key))
        await self._discard(_checked(key))

    async def _put(
        self, key: str, upload: Callable[[str], Awaitable[tuple[str, int]]], media_type: str
    ) -> ArtifactRef:
        """Uploads to a staged name, claims the key with a record, and moves the bytes there."""
        present = await self.head(key)
        if present is not None:
            return present
        staged = f"{_STAGING}/{uuid.uuid4().hex}"
        claimed = False
        try:
            sha256, size_bytes = await upload(staged)
            record = _Record(key, sha256, size_bytes, media_type or _media_type(key), staged)
            for _ in range(_CLAIM_ATTEMPTS):
                if await self._create_record(record):
                    claimed = True
                    await self._finish_move(record)
                    return self._reference(record)
                present = await self.head(key)
                if present is not None:
                    return present
                # A record whose bytes are gone: somebody removed them behind the store's back.
                await self._discard(_record_key(key))
        finally:
            if not claimed:
                await asyncio.shield(self._discard(staged))
        raise Unavailable(f"others keep writing and removing {key!r}", retry_after_s=1.0)

    async def _create_record(self, record: _Record) -> bool:
        try:
            with _absence_told():
                await obstore.put_async(
                    self._store, _record_key(record.key), record.to_json(), mode="create"
                )
        except AlreadyExistsError:
            return False
        except _NoPlace as error:
            raise _cannot_lie_at(record.key, error) from None
        return True

    async def _read_record(self, key: str) -> _Record | None:
        try:
            with _absence_told():
                result = await obstore.get_async(self._store, _record_key(key))
            return _Record.from_json(bytes(await result.bytes_async()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    async def _finish_move(self, record: _Record) -> None:
        """Moves staged bytes to their key; somebody else may have done so already.

        Raises InvalidArgument, and forgets the bytes, when they cannot lie there.
        """
        try:
            with _absence_told():
                await obstore.rename_async(self._store, record.staged, record.key)
        except _NoPlace as error:
            await self._discard(_record_key(record.key))
            await self._discard(record.staged)
            raise _cannot_lie_at(record.key, error) from None
        except FileNotFoundError:
            pass

    async def _size_of(self, key: str) -> int | None:
        try:
            with _absence_told():
                return int((await obstore.head_async(self._store, _checked(key)))["size"])
        except FileNotFoundError:
            return None

    async def _discard(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError), _absence_told():
            await obstore.delete_async(self._store, path)

    def _reference(self, record: _Record) -> ArtifactRef:
        return ArtifactRef(
            uri=self.uri(record.key),
            sha256=record.sha256,
            size_bytes=record.size_bytes,
            media_type=record.media_type,
        )


def project_key(project: str, *parts: str) -> str:
    """Returns `projects/{project}/...`; the parts may hold slashes.

    Raises:
        InvalidArgument: when a segment is not a plain name.
    """
    return _checked("/".join(("projects", project, *parts)))


def ensure_project(store: ArtifactStore, artifact: ArtifactRef, project: str) -> None:
    """Raises NotFound for an artifact of another project: whether it exists is not told."""
    if not store.key_of(artifact.uri).startswith(f"projects/{project}/"):
        raise NotFound("artifact", artifact.uri)


@dataclass(frozen=True)
class _Record:
    """What is known of the bytes at a key, and under which name they were uploaded."""

    key: str
    sha256: str
    size_bytes: int
    media_type: str
    staged: str = ""

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> _Record:
        return cls(**json.loads(data))


class _NoPlace(FileNotFoundError):
    """A folder lies at the key, or a file where one of its folders would be."""


@contextmanager
def _absence_told() -> Iterator[None]:
    """Tells a key at which nothing can lie from a store that does not do its part: both are
    `GenericError` where the store is a folder. Object stores know no folders."""
    try:
        yield
    except GenericError as error:
        for told, why in _NO_PLACE.items():
            if told in str(error):
                raise _NoPlace(why) from None
        raise


def _cannot_lie_at(key: str, why: _NoPlace) -> InvalidArgument:
    return InvalidArgument(
        f"no file can lie at {key!r}: {why}; name another key", reason="KEY_IN_THE_WAY"
    )


@contextmanager
def _saying_what_is_missing(uri: str) -> Iterator[None]:
    try:
        with _absence_told():
            yield
    except FileNotFoundError:
        raise NotFound("artifact", uri) from None


def _uri_of(artifact: ArtifactRef | str) -> str:
    return artifact if isinstance(artifact, str) else artifact.uri


def _verify(artifact: ArtifactRef | str, sha256: str) -> None:
    """Raises DataLoss when a reference names another digest; a bare URI names none."""
    if isinstance(artifact, ArtifactRef) and artifact.sha256 not in ("", sha256):
        raise DataLoss(
            f"{artifact.uri} is not what it was: its digest differs", reason="DIGEST_MISMATCH"
        )


def _media_type(key: str) -> str:
    return _MEDIA_TYPES.get(Path(key).suffix, "application/octet-stream")


def _record_key(key: str) -> str:
    return f"{_RECORDS}/{_checked(key)}.json"


def _checked(key: str) -> str:
    """Returns the key if every segment is a plain name, so that none leads elsewhere."""
    segments = key.split("/")
    if len(key) > _MAX_KEY_CHARACTERS or not all(_SEGMENT.fullmatch(part) for part in segments):
        raise InvalidArgument(f"{key[:200]!r} is no key of the artifact store", field="uri")
    return key
