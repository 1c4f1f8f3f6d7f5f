"""Follows the addresses of a Service of Kubernetes: a list, then a watch from the list's version.

A watch ends every few minutes by plan, and the next one begins at the version that was seen last,
of an event or of a bookmark. After a failure of any kind (410 for a version that is too old, a
broken connection, an event that makes no sense) the slices are listed anew; so they are every ten
minutes, should an event ever be lost.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from soundsight_gateway.discovery.backoff import Backoff
from soundsight_gateway.discovery.cluster import Cluster, ClusterError
from soundsight_gateway.discovery.slices import Slice, addresses
from soundsight_gateway.discovery.source import Addresses
from soundsight_gateway.discovery.targets import KubernetesTarget
from soundsight_kit.logs import log

WATCH_S: Final = 120
LIST_AGAIN_S: Final = 600.0
STEADY_S: Final = 5.0
"""A watch that held for so long was a good one: the next failure is paused for as for a first."""

_NEXT_STEP: Final = {
    401: "the gateway's token is not accepted: is its ServiceAccount there?",
    403: "let the gateway's ServiceAccount list and watch endpointslices.discovery.k8s.io",
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the API server is asked."""

    watch_s: int = WATCH_S
    list_again_s: float = LIST_AGAIN_S
    steady_s: float = STEADY_S
    pause_first_s: float = 0.2
    pause_most_s: float = 30.0


@dataclass(slots=True)
class _Known:
    """The slices of a Service, as of a version; no version means that they must be listed."""

    slices: dict[str, Slice] = field(default_factory=dict)
    version: str = ""
    listed_at: float = float("-inf")

    def list(self, items: list[Slice], version: str) -> None:
        self.slices = {item["metadata"]["name"]: item for item in items}
        self.version = version
        self.listed_at = time.monotonic()

    def apply(self, event: dict[str, Any]) -> None:
        subject = event["object"]
        match event["type"]:
            case "ADDED" | "MODIFIED":
                self.slices[subject["metadata"]["name"]] = subject
            case "DELETED":
                self.slices.pop(subject["metadata"]["name"], None)
        self.version = subject["metadata"]["resourceVersion"]  # a BOOKMARK has nothing else


class ServiceSource:
    """Follows one Service.

    Args:
        target: the Service and its port.
        cluster: who is asked.
        pace: how often.
    """

    def __init__(
        self, target: KubernetesTarget, cluster: Cluster, pace: Pace | None = None
    ) -> None:
        self._target = target
        self._cluster = cluster
        self._pace = pace or Pace()
        self._backoff = Backoff(self._pace.pause_first_s, self._pace.pause_most_s)
        self._complaint = ""

    async def follow(self) -> AsyncGenerator[Addresses, None]:
        """Yields the ready addresses whenever they have changed."""
        known = _Known()
        told: Addresses | None = None
        while True:
            began = time.monotonic()
            failure: ClusterError | None = None
            try:
                async with aclosing(self._changes(known)) as changes:
                    async for found in changes:
                        if found != told:
                            told = found
                            yield found
            except ClusterError as error:
                failure = error
                known.version = ""
            if time.monotonic() - began >= self._pace.steady_s:
                self._backoff.reset()
            if failure is not None:
                self._complain(failure)
            asked_for_s = failure.retry_after_s if failure is not None else None
            await asyncio.sleep(self._backoff.next_s(asked_for_s))

    async def _changes(self, known: _Known) -> AsyncGenerator[Addresses, None]:
        """Lists if need be, watches once. Raises ClusterError."""
        service = self._target.service
        namespace = self._target.namespace or await self._cluster.namespace()
        server_name = f"{service}.{namespace}.svc"
        if not known.version or time.monotonic() - known.listed_at >= self._pace.list_again_s:
            known.list(*await self._cluster.list_slices(namespace, service))
            self._complaint = ""
            yield addresses(known.slices.values(), self._target.port, server_name)
        seconds = max(1, round(self._pace.watch_s * random.uniform(0.8, 1.2)))
        watch = self._cluster.watch_slices(namespace, service, known.version, seconds)
        async with aclosing(watch) as events:
            async for event in events:
                known.apply(event)
                yield addresses(known.slices.values(), self._target.port, server_name)

    def _complain(self, error: ClusterError) -> None:
        """Says what is wrong, once as long as it is the same."""
        if error.status == 410 or str(error) == self._complaint:
            return
        self._complaint = str(error)
        log.warning(
            "endpoints of a Service are not told of",
            service=self._target.service,
            why=str(error),
            next_step=_NEXT_STEP.get(error.status, "it is asked again"),
        )
