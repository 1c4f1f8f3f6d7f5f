"""How far each upload is.

The bytes lie in the object store, in parts; here stands which parts there are. Whoever adds a part
says where it begins, and only the part that begins where the last one ended is taken, so that two
calls at once cannot mix their bytes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from soundsight.common.v1 import common_pb2
from soundsight_gateway import rows
from soundsight_gateway import tables as t
from soundsight_gateway.database import Database
from soundsight_kit.errors import Aborted, InvalidArgument, NotFound

UPLOAD = "soundsight.dev/Upload"


@dataclass(frozen=True, slots=True)
class UploadRef:
    """Which upload: a project's identifier and the caller's name for it."""

    project: str
    upload_id: str

    @property
    def name(self) -> str:
        """For messages: `projects/{project}/uploads/{upload}`."""
        return f"projects/{self.project}/uploads/{self.upload_id}"


@dataclass(frozen=True, slots=True)
class Announced:
    """What a caller says about a file before it sends it."""

    size_bytes: int
    sha256: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Upload:
    """How far an upload is."""

    announced: Announced
    committed_bytes: int
    artifact: common_pb2.ArtifactRef | None


class UploadStore:
    """The uploads of all projects."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def begin(self, ref: UploadRef, announced: Announced) -> Upload:
        """Returns an upload, begun now or earlier.

        Raises InvalidArgument when it was begun with another size, digest or type.
        """

        def work(c: sa.Connection) -> Upload:
            row = c.execute(sa.select(t.uploads).where(*_of(t.uploads, ref))).first()
            if row is not None:
                upload = _upload(row)
                if upload.announced != announced:
                    raise InvalidArgument(
                        "size_bytes, sha256 and media_type must be those that the upload was begun "
                        "with; take another upload_id for another file",
                        field="header",
                        reason="UPLOAD_HEADER_CHANGED",
                    )
                return upload
            c.execute(
                sa.insert(t.uploads).values(
                    **_key(ref),
                    size_bytes=announced.size_bytes,
                    sha256=announced.sha256,
                    media_type=announced.media_type,
                    committed_bytes=0,
                    update_us=_now_us(),
                )
            )
            return Upload(announced, 0, None)

        try:
            return await self._db.write(work)
        except sa.exc.IntegrityError:
            # Another call came between the look and the write (Postgres): now it can be seen.
            return await self._db.write(work)

    async def get(self, ref: UploadRef) -> Upload:
        """Returns an upload. Raises NotFound."""

        def work(c: sa.Connection) -> Upload:
            row = c.execute(sa.select(t.uploads).where(*_of(t.uploads, ref))).first()
            if row is None:
                raise NotFound(UPLOAD, ref.name)
            return _upload(row)

        return await self._db.read(work)

    async def add_part(
        self, ref: UploadRef, offset_bytes: int, part: common_pb2.ArtifactRef
    ) -> None:
        """Appends a stored part that begins at `offset_bytes`.

        Raises Aborted when another call has appended since.
        """

        def work(c: sa.Connection) -> None:
            moved = c.execute(
                sa.update(t.uploads)
                .where(*_of(t.uploads, ref), t.uploads.c.committed_bytes == offset_bytes)
                .values(committed_bytes=offset_bytes + part.size_bytes, update_us=_now_us())
            )
            if moved.rowcount != 1:
                raise Aborted(
                    f"{ref.name} is being sent by another call too; ask GetUpload how much is "
                    "committed and go on from there",
                    reason="UPLOAD_IN_PROGRESS",
                )
            c.execute(
                sa.insert(t.upload_parts).values(
                    **_key(ref), offset_bytes=offset_bytes, artifact=rows.dump(part)
                )
            )

        await self._db.write(work)

    async def parts(self, ref: UploadRef) -> Sequence[common_pb2.ArtifactRef]:
        """Returns the parts in order."""

        def work(c: sa.Connection) -> list[common_pb2.ArtifactRef]:
            query = (
                sa.select(t.upload_parts.c.artifact)
                .where(*_of(t.upload_parts, ref))
                .order_by(t.upload_parts.c.offset_bytes)
            )
            return [
                rows.load(text, common_pb2.ArtifactRef()) for text in c.execute(query).scalars()
            ]

        return await self._db.read(work)

    async def finish(self, ref: UploadRef, artifact: common_pb2.ArtifactRef) -> None:
        """Writes down the file that the parts became; the parts are needed no more."""

        def work(c: sa.Connection) -> None:
            c.execute(
                sa.update(t.uploads)
                .where(*_of(t.uploads, ref))
                .values(artifact=rows.dump(artifact), update_us=_now_us())
            )
            c.execute(sa.delete(t.upload_parts).where(*_of(t.upload_parts, ref)))

        await self._db.write(work)

    async def discard(self, ref: UploadRef) -> None:
        """Forgets an upload; the same name may begin anew."""

        def work(c: sa.Connection) -> None:
            for table in (t.upload_parts, t.uploads):
                c.execute(sa.delete(table).where(*_of(table, ref)))

        await self._db.write(work)


def _upload(row: sa.Row[tuple[object, ...]]) -> Upload:
    fields = row._mapping
    return Upload(
        Announced(fields["size_bytes"], fields["sha256"], fields["media_type"]),
        fields["committed_bytes"],
        rows.load(fields["artifact"], common_pb2.ArtifactRef()) if fields["artifact"] else None,
    )


def _of(table: sa.Table, ref: UploadRef) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.project == ref.project, table.c.upload_id == ref.upload_id


def _key(ref: UploadRef) -> dict[str, str]:
    return {"project": ref.project, "upload_id": ref.upload_id}


def _now_us() -> int:
    return time.time_ns() // 1000
