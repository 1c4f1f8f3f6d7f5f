"""The services that the gateway calls, and the pools it dispatches to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import grpc

from soundsight.common.v1 import implementation_pb2
from soundsight.videogen.v1 import profile_pb2
from soundsight_gateway.discovery.cluster import Cluster
from soundsight_gateway.discovery.deletion_cost import DeletionCosts
from soundsight_gateway.discovery.dns import DnsSource
from soundsight_gateway.discovery.following import Following
from soundsight_gateway.discovery.service_source import ServiceSource
from soundsight_gateway.discovery.source import Source
from soundsight_gateway.discovery.targets import Address, DnsTarget, KubernetesTarget
from soundsight_gateway.dispatch import Pool
from soundsight_gateway.pool_store import PoolStore
from soundsight_gateway.settings import GatewaySettings, VideoPool
from soundsight_kit.errors import FailedPrecondition, NotFound, Unavailable

_LOOK_AGAIN_S = 0.5


class Connect(Protocol):
    """Opens a channel."""

    def __call__(self, target: str, *, server_name: str | None = None) -> grpc.aio.Channel:
        """`server_name` is the name in the server's certificate where it is not in `target`."""
        ...


class Services:
    """Channels to the services and pools. `start` begins to follow endpoints that come and go.

    Args:
        settings: where they are.
        connect: opens a channel.
        memory: what pools said last, for when none of their endpoints runs.

    Raises FailedPrecondition when the settings need a library that is not installed.
    """

    def __init__(self, settings: GatewaySettings, connect: Connect, memory: PoolStore) -> None:
        self._memory = memory
        self._configured = settings.pools

        def to_endpoint(address: Address) -> grpc.aio.Channel:
            return connect(address.target, server_name=address.server_name)

        self.analyzer = connect(settings.analyzer)
        self.scenewriter = connect(settings.scenewriter)
        self.composer = connect(settings.composer)
        self.pools: Mapping[str, Pool] = {
            name: Pool(name, pool.fixed, to_endpoint) for name, pool in self._configured.items()
        }
        self._cluster = Cluster() if any(map(_in_kubernetes, self._configured.values())) else None
        self._following = [
            Following(pool.fixed, sources, self.pools[name].update)
            for name, pool in self._configured.items()
            if (sources := _sources(pool, self._cluster))
        ]
        self._costs: DeletionCosts | None = None
        if settings.pod_deletion_cost and self._cluster is not None:
            self._costs = DeletionCosts(self.pools.values(), self._cluster)
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to follow endpoints that come and go, and to tell Kubernetes which are busy."""
        for following in self._following:
            following.start()
        if self._costs is not None:
            self._keeping = asyncio.create_task(self._costs.keep())

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
        """Follows no more, and closes all channels."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
        await asyncio.gather(*(following.close() for following in self._following))
        if self._cluster is not None:
            await self._cluster.close()
        await asyncio.gather(*(pool.close() for pool in self.pools.values()))
        await asyncio.gather(
            *(channel.close() for channel in (self.analyzer, self.scenewriter, self.composer))
        )

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


def _in_kubernetes(pool: VideoPool) -> bool:
    return any(isinstance(target, KubernetesTarget) for target in pool.targets)


def _sources(pool: VideoPool, cluster: Cluster | None) -> list[Source]:
    sources: list[Source] = []
    for target in pool.targets:
        if isinstance(target, DnsTarget):
            sources.append(DnsSource(target))
        elif isinstance(target, KubernetesTarget) and cluster is not None:
            sources.append(ServiceSource(target, cluster))
    return sources
