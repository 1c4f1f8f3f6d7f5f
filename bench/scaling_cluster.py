"""The Deployment of the simulation: pods that start on nodes, are listed to the gateway, and end.

Which pods go first is modelled after what Kubernetes documents of a ReplicaSet.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from scaling_nodes import Node, Nodes, Site
from scaling_replica import Filmed, Replica
from soundsight_gateway.discovery.targets import Address
from soundsight_gateway.dispatch import Pool

SLICES_S: Final = 1.0
"""Until the gateway hears that a pod became ready or is about to go."""
COST_S: Final = 5.0
"""Until a pod's deletion cost says what the pod does."""

SCALE_DOWN: Final = "scale-down"
EVICTION: Final = "eviction"


@dataclass(frozen=True)
class Rules:
    """What an operator sets, at the ScaledObject and at the pods; as the chart has it."""

    clips_per_replica: float = 2.0
    polling_s: float = 30.0
    cooldown_s: float = 300.0
    window_s: float = 120.0
    """stabilizationWindowSeconds of scaling down."""
    up_pods: int = 4
    up_percent: int = 100
    """What may be added in 15 s: the larger of the two."""
    most_replicas: int = 500
    grace_s: float = 600.0
    """terminationGracePeriodSeconds; 0: pods do not drain."""
    deletion_cost: bool = True
    queue_limit: int = 0
    max_in_flight: int = 640


class Deployment:
    """The pods of videogen.

    Args:
        site, rules: what it runs on and how.
        chance: decides how long things take.
        needs_s: how long a clip takes, by its key.
        filmed: what all replicas did.
    """

    def __init__(
        self,
        site: Site,
        rules: Rules,
        chance: random.Random,
        needs_s: Callable[[str], float],
        filmed: Filmed,
    ) -> None:
        self._site, self._rules, self._chance = site, rules, chance
        self._needs_s, self._filmed = needs_s, filmed
        self._loop = asyncio.get_running_loop()
        self.nodes = Nodes(site, chance, self._evicted)
        self.replicas: list[Replica] = []
        self._by_name: dict[str, Replica] = {}
        self._node_of: dict[Replica, Node] = {}
        self._starting: dict[Replica, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._costs: dict[Replica, int] = {}
        self._made = 0
        self.pool = Pool("default", (), self._connect, clock=self._loop.time)

    @property
    def empty(self) -> bool:
        """Whether there is nothing left: no pod, not even one about to go, and no node."""
        return not self.replicas and not self._ending and self.nodes.count == 0

    def scale(self, replicas: int) -> None:
        """Makes it so many pods."""
        if replicas == 0 and self.replicas:
            self.nodes.use.to_zero_s.append(self._loop.time())
        while len(self.replicas) < replicas:
            self._create()
        if excess := len(self.replicas) - replicas:
            for replica in sorted(self.replicas, key=self._rank)[:excess]:
                self._delete(replica, SCALE_DOWN, self._rules.grace_s)
        self.nodes.use.peak = max(self.nodes.use.peak, len(self.replicas))

    async def keep_costs(self) -> None:
        """Writes the pods' deletion costs, as the gateway does."""
        while True:
            self._costs = {replica: 1000 * replica.clips for replica in self.replicas}
            await asyncio.sleep(COST_S)

    def _rank(self, replica: Replica) -> tuple[bool, bool, int, float]:
        """Which goes first: without a node, not ready, cheap, ready for a short time."""
        cost = self._costs.get(replica, 0) if self._rules.deletion_cost else 0
        since_s = replica.created_s if replica.ready_s is None else replica.ready_s
        return replica in self._node_of, replica.ready_s is not None, cost, -since_s

    def _create(self) -> None:
        self._made += 1
        replica = Replica(
            f"videogen-{self._made}:7003", 1, self._rules.queue_limit, self._needs_s, self._filmed
        )
        self.replicas.append(replica)
        self._by_name[replica.name] = replica
        self._starting[replica] = self._loop.create_task(self._start(replica))

    async def _start(self, replica: Replica) -> None:
        node = await self.nodes.take()
        node.replica, self._node_of[replica] = replica, node
        if not node.has_image:
            await asyncio.sleep(self._chance.uniform(*self._site.pull_s))
            node.has_image = True
        await asyncio.sleep(self._chance.uniform(*self._site.load_s))
        replica.is_ready()
        del self._starting[replica]
        self._publish()

    def _evicted(self, node: Node) -> None:
        """A node is taken away: its pod ends in the short time left, and another one is made."""
        assert node.replica is not None
        if node.replica in self.replicas:
            replicas = len(self.replicas)
            grace_s = min(self._site.eviction_notice_s, self._rules.grace_s)
            self._delete(node.replica, EVICTION, grace_s, node)
            self.scale(replicas)

    def _delete(self, replica: Replica, why: str, grace_s: float, lost: Node | None = None) -> None:
        self.replicas.remove(replica)
        if (starting := self._starting.pop(replica, None)) is not None:
            starting.cancel()
        task = self._loop.create_task(self._end(replica, why, grace_s, lost))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        self._publish()

    async def _end(self, replica: Replica, why: str, grace_s: float, lost: Node | None) -> None:
        await replica.end(why, grace_s)
        if replica.ready_s is not None and replica.ended_s is not None:
            self.nodes.use.ready_s += replica.ended_s - replica.ready_s
        node = self._node_of.pop(replica, None)
        if node is None:
            return
        if lost is not None and not node.gone:
            self.nodes.remove(node)
        self.nodes.give_back(node)

    def _publish(self) -> None:
        self._loop.call_later(SLICES_S, self._update)

    def _update(self) -> None:
        self.pool.update(Address(r.name) for r in self.replicas if r.ready_s is not None)

    def _connect(self, address: Address) -> Any:
        """The replica itself, which does what a channel does."""
        return self._by_name[address.target]
