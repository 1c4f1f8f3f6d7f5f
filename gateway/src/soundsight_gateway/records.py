"""Messages kept as artifacts: protobuf JSON under a key, so that a result is made only once."""

from __future__ import annotations

import hashlib
from typing import Final, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight_gateway import rows
from soundsight_kit.artifacts import ArtifactStore
from soundsight_kit.errors import DataLoss, NotFound

M = TypeVar("M", bound=Message)

MAX_RECORD_BYTES: Final = 64 << 20
MEDIA_TYPE: Final = "application/json"


class Records:
    """Messages in an artifact store."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    async def find(self, key: str, message: M) -> tuple[M, ArtifactRef] | None:
        """Fills `message` with what lies under a key; None when nothing does.

        Raises DataLoss for a record that is no such message.
        """
        uri = self._artifacts.uri(key)
        try:
            data = await self._artifacts.get_bytes(ArtifactRef(uri=uri), MAX_RECORD_BYTES)
        except NotFound:
            return None
        ref = ArtifactRef(
            uri=uri,
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            media_type=MEDIA_TYPE,
        )
        return self._parse(data, message, uri), ref

    async def read(self, ref: ArtifactRef, message: M) -> M:
        """Fills `message` with what a reference names, its digest verified.

        Raises NotFound, DataLoss.
        """
        data = await self._artifacts.get_bytes(ref, MAX_RECORD_BYTES)
        return self._parse(data, message, ref.uri)

    async def keep(self, key: str, message: M, blank: M) -> tuple[M, ArtifactRef]:
        """Keeps a message unless the key exists; returns what lies there afterwards.

        `blank` is filled when another writer was first: its result is the one that counts.
        """
        data = rows.dump(message).encode()
        ref = await self._artifacts.put_bytes(key, data, MEDIA_TYPE)
        if ref.sha256 == hashlib.sha256(data).hexdigest():
            return message, ref
        return await self.read(ref, blank), ref

    def _parse(self, data: bytes, message: M, uri: str) -> M:
        try:
            return rows.load(data.decode(), message)
        except (json_format.ParseError, UnicodeDecodeError):
            raise DataLoss(
                f"{uri} is no {message.DESCRIPTOR.name}; delete it and it is made anew",
                reason="BROKEN_RECORD",
            ) from None
