"""Asks Kubernetes to spare pods that film when a pool shrinks: the deletion cost of each pod is a
thousand times the clips it has.

https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost. The cost
follows what the pods say of themselves, so that several gateways write the same. It is a preference
of Kubernetes, no promise: what protects a running clip is that pods drain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from soundsight_gateway.discovery.backoff import Backoff
from soundsight_gateway.discovery.cluster import Cluster, ClusterError
from soundsight_gateway.discovery.targets import Pod
from soundsight_gateway.dispatch import Pool
from soundsight_kit.logs import log

ANNOTATION: Final = "controller.kubernetes.io/pod-deletion-cost"
COST_OF_A_CLIP: Final = 1000
LOOK_S: Final = 5.0
"""How long a pod's cost may lag behind when only other gateways have changed it."""
SPACING_S: Final = 1.0
"""At least so much between two rounds of writing: changes in between are written as one."""
WRITES_A_ROUND: Final = 10
"""At most so many pods a round. Those that turned busy or idle come first."""

_THIS_POD_ALONE: Final = frozenset({400, 404, 422})
"""Refusals that other pods need not fear: mostly the pod is gone, and its address will be soon."""


class DeletionCosts:
    """Keeps the deletion costs of the pods of some pools.

    Args:
        pools: the pools.
        cluster: where the pods are.
        look_s: how often pods are looked at without being told.
        spacing_s: the least time between two rounds of writing.
    """

    def __init__(
        self,
        pools: Iterable[Pool],
        cluster: Cluster,
        look_s: float = LOOK_S,
        spacing_s: float = SPACING_S,
    ) -> None:
        self._pools = tuple(pools)
        self._cluster = cluster
        self._look_s = look_s
        self._spacing_s = spacing_s
        self._written: dict[Pod, int] = {}
        self._backoff = Backoff(spacing_s, 60.0)
        self._complaint = ""

    async def keep(self) -> None:
        """Keeps the costs until it is cancelled. Never raises anything else."""
        while True:
            pause_s, more = self._spacing_s, False
            try:
                more = await self._round()
                self._backoff.reset()
            except ClusterError as error:
                self._complain(error)
                pause_s = self._backoff.next_s(error.retry_after_s)
            await asyncio.sleep(pause_s)
            if not more:
                await self._change()

    async def _round(self) -> bool:
        """Writes what differs most urgently; returns whether there is more to write.

        Raises ClusterError when there is no use in trying further pods.
        """
        for pool in self._pools:
            pool.changed.clear()
            await pool.refresh()
        wanted = self._wanted()
        self._written = {pod: cost for pod, cost in self._written.items() if pod in wanted}
        urgent = _urgent(wanted, self._written)
        for pod in urgent[:WRITES_A_ROUND]:
            await self._write(pod, wanted[pod])
        return len(urgent) > WRITES_A_ROUND

    def _wanted(self) -> dict[Pod, int]:
        return {
            endpoint.address.pod: COST_OF_A_CLIP * endpoint.taken
            for pool in self._pools
            for endpoint in pool.endpoints
            if endpoint.address.pod is not None and endpoint.info is not None
        }

    async def _write(self, pod: Pod, cost: int) -> None:
        try:
            await self._cluster.annotate(pod, ANNOTATION, str(cost))
        except ClusterError as error:
            if error.status not in _THIS_POD_ALONE:
                raise
        self._written[pod] = cost

    async def _change(self) -> None:
        """Waits until a pool has changed, or it is time to look."""
        waits = [asyncio.create_task(pool.changed.wait()) for pool in self._pools]
        try:
            await asyncio.wait(waits, timeout=self._look_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _complain(self, error: ClusterError) -> None:
        if str(error) != self._complaint:
            self._complaint = str(error)
            log.warning(
                "deletion costs of pods are not written",
                why=str(error),
                next_step="let the gateway's ServiceAccount patch pods"
                if error.status == 403
                else "it is tried again",
            )


def _urgent(wanted: dict[Pod, int], written: dict[Pod, int]) -> Sequence[Pod]:
    """The pods whose cost must be written, those that turned busy or idle first."""
    changed = [pod for pod, cost in wanted.items() if written.get(pod) != cost]
    return sorted(changed, key=lambda pod: (wanted[pod] > 0) == (written.get(pod, 0) > 0))
