"""What is remembered of videogen pools: what they said they are, and who films what."""

from __future__ import annotations

import time

import sqlalchemy as sa

from soundsight.common.v1 import implementation_pb2
from soundsight.videogen.v1 import profile_pb2
from soundsight_gateway import rows
from soundsight_gateway import tables as t
from soundsight_gateway.database import Database

_ = profile_pb2.VideoGenProfile
# Its descriptor must be known where a GetInfoResponse with such a profile is parsed from JSON.


class PoolStore:
    """Facts about pools that must outlive the process."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def remember_info(self, pool: str, info: implementation_pb2.GetInfoResponse) -> None:
        """Keeps the last description that an endpoint of a pool gave."""
        await self._put(t.pools, "name", pool, info=rows.dump(info))

    async def info(self, pool: str) -> implementation_pb2.GetInfoResponse | None:
        """The last description that an endpoint of a pool gave, if ever one did."""
        text = await self._db.read(
            lambda c: c.execute(sa.select(t.pools.c.info).where(t.pools.c.name == pool)).scalar()
        )
        return rows.load(text, implementation_pb2.GetInfoResponse()) if text else None

    async def place(self, output_key: str, target: str) -> None:
        """Remembers which endpoint is asked to film a clip."""
        await self._put(t.placements, "output_key", output_key, target=target)

    async def placement(self, output_key: str) -> str | None:
        """The endpoint that was last asked to film a clip."""
        query = sa.select(t.placements.c.target).where(t.placements.c.output_key == output_key)
        return await self._db.read(lambda c: c.execute(query).scalar())

    async def forget_placements(self, older_than_s: float) -> None:
        """Forgets who was asked long ago: that work is done or gone."""
        bound = time.time_ns() // 1000 - round(older_than_s * 1e6)
        old = sa.delete(t.placements).where(t.placements.c.update_us < bound)
        await self._db.write(lambda c: c.execute(old))

    async def _put(self, table: sa.Table, column: str, key: str, **values: str) -> None:
        stamped = {**values, "update_us": time.time_ns() // 1000}

        def work(c: sa.Connection) -> None:
            changed = c.execute(sa.update(table).where(table.c[column] == key).values(**stamped))
            if changed.rowcount == 0:
                c.execute(sa.insert(table).values({column: key, **stamped}))

        try:
            await self._db.write(work)
        except sa.exc.IntegrityError:
            await self._db.write(work)  # another gateway came between: now there is a row
