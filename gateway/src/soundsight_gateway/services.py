"""The services that the gateway calls, and the pools it dispatches to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import grpc

from soundsight.common.v1 import implementation_pb2
from soundsight.videogen.v1 import profile_pb2
from soundsight_gateway.dispatch import Pool
from soundsight_gateway.pool_store import PoolStore
from soundsight_gateway.settings import GatewaySettings, VideoPool
from soundsight_kit.errors import FailedPrecondition, NotFound, Unavailable

_LOOK_AGAIN_S = 0.5


class Services:
    """Channels to the services and pools, opened once.

    Args:
        settings: where they are.
        connect: opens a channel.
        memory: what pools said last, for when none of their endpoints runs.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        connect: Callable[[str], grpc.aio.Channel],
        memory: PoolStore,
    ) -> None:
        self._channels: list[grpc.aio.Channel] = []
        self._memory = memory
        self._configured = settings.pools

        def opened(target: str) -> grpc.aio.Channel:
            channel = connect(target)
            self._channels.append(channel)
            return channel

        self.analyzer = opened(settings.analyzer)
        self.scenewriter = opened(settings.scenewriter)
        self.composer = opened(settings.composer)
        self.pools: Mapping[str, Pool] = {
            name: Pool(name, pool.endpoints, opened) for name, pool in self._configured.items()
        }

    def pool(self, name: str) -> Pool:
        """A pool by name. Raises NotFound for one that is configured no more."""
        if name not in self.pools:
            raise NotFound("video pool", name)
        return self.pools[name]

    async def profile(self, name: str) -> profile_pb2.VideoGenProfile:
        """What a pool can do: what it says now, else said last, else what is declared.

        Raises Unavailable when none of that is known, NotFound.
        """
        try:
            return profile_in(await self._describe(name))
        except Unavailable:
            remembered = await self._memory.info(name)
            if remembered is not None:
                return profile_in(remembered)
            configured: VideoPool = self._configured[name]
            if configured.declared_profile is not None:
                return configured.declared_profile
            raise

    async def identity(
        self, name: str, patience_s: float
    ) -> tuple[str, profile_pb2.VideoGenProfile]:
        """Fingerprint and profile of a pool: what it says now, else said last.

        A pool that never said anything is waited for. Raises Unavailable after `patience_s`.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        while True:
            try:
                info = await self._describe(name)
            except Unavailable:
                remembered = await self._memory.info(name)
                if remembered is not None:
                    return remembered.fingerprint, profile_in(remembered)
                if loop.time() >= until:
                    raise
                await asyncio.sleep(_LOOK_AGAIN_S)
            else:
                return info.fingerprint, profile_in(info)

    async def close(self) -> None:
        """Closes all channels."""
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def _describe(self, name: str) -> implementation_pb2.GetInfoResponse:
        info = await self.pool(name).describe()
        await self._memory.remember_info(name, info)
        return info


def profile_in(info: implementation_pb2.GetInfoResponse) -> profile_pb2.VideoGenProfile:
    """The profile in a videogen endpoint's description.

    Raises FailedPrecondition when there is none: such an endpoint cannot be planned for.
    """
    profile = profile_pb2.VideoGenProfile()
    if not info.profile.Unpack(profile):
        raise FailedPrecondition(
            f"the video endpoint {info.implementation} describes itself without a profile; it does "
            "not keep the videogen contract",
            reason="NO_PROFILE",
        )
    return profile
