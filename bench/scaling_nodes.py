"""The nodes of the simulation: bought when pods find no place, given back when they stand idle, and
taken away at times."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from scaling_replica import Replica

Range = tuple[float, float]
"""Shortest and longest, in seconds; anything between is as likely."""


@dataclass(frozen=True)
class Site:
    """What the cluster and the model are like. One node has one GPU."""

    gpus: int = 500
    clip_s: Range = (60.0, 240.0)
    node_s: Range = (90.0, 240.0)
    """Until a node that was asked for is there."""
    pull_s: Range = (60.0, 120.0)
    """Pulling the image, once per node."""
    load_s: Range = (30.0, 90.0)
    """From a container's start to its being ready: loading the model."""
    node_idle_s: float = 600.0
    """How long a node without a pod is kept."""
    eviction_every_h: float = 0.0
    """Hours after which a node is taken away, in the mean; 0: never."""
    eviction_notice_s: float = 30.0


@dataclass(eq=False)
class Node:
    """A machine with one GPU."""

    asked_s: float
    replica: Replica | None = None
    has_image: bool = False
    gone: bool = False
    idle: asyncio.TimerHandle | None = None


@dataclass
class Use:
    """What the cluster took."""

    node_s: float = 0.0
    """Time of nodes from when they were asked for to when they were given back."""
    ready_s: float = 0.0
    """Time of replicas from when they were ready to when they were gone."""
    peak: int = 0
    """Most replicas at a time, those about to go left out."""
    evictions: int = 0
    to_zero_s: list[float] = field(default_factory=list)
    """When the last replica was let go."""


class Nodes:
    """The nodes, bought when pods find no place and given back when they stand idle."""

    def __init__(self, site: Site, chance: random.Random, evict: Callable[[Node], None]) -> None:
        self._site, self._chance, self._evict = site, chance, evict
        self._loop = asyncio.get_running_loop()
        self._idle: list[Node] = []
        self._wanted: deque[asyncio.Future[Node]] = deque()
        self._count = self._coming = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.use = Use()

    @property
    def count(self) -> int:
        """Nodes that there are or that are coming."""
        return self._count

    async def take(self) -> Node:
        """A node for one pod."""
        wish: asyncio.Future[Node] = self._loop.create_future()
        self._wanted.append(wish)
        self._match()
        try:
            return await wish
        except asyncio.CancelledError:
            if wish.done() and not wish.cancelled():
                self.give_back(wish.result())
            raise

    def give_back(self, node: Node) -> None:
        """A node has no pod any more."""
        node.replica = None
        if node.gone:
            return
        node.idle = self._loop.call_later(self._site.node_idle_s, self.remove, node)
        self._idle.append(node)
        self._match()

    def remove(self, node: Node) -> None:
        """A node goes."""
        node.gone = True
        if node in self._idle:
            self._idle.remove(node)
            assert node.idle is not None
            node.idle.cancel()
        self.use.node_s += self._loop.time() - node.asked_s
        self._count -= 1
        self._match()

    def _match(self) -> None:
        while self._wanted and (self._wanted[0].done() or self._idle):
            wish = self._wanted.popleft()
            if not wish.done():
                node = self._idle.pop()
                assert node.idle is not None
                node.idle.cancel()
                wish.set_result(node)
        missing = sum(not wish.done() for wish in self._wanted) - self._coming
        for _ in range(min(missing, self._site.gpus - self._count)):
            self._count += 1
            self._coming += 1
            task = self._loop.create_task(self._buy())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _buy(self) -> None:
        node = Node(self._loop.time())
        await asyncio.sleep(self._chance.uniform(*self._site.node_s))
        self._coming -= 1
        if self._site.eviction_every_h:
            lasts_s = self._chance.expovariate(1 / (3600 * self._site.eviction_every_h))
            self._loop.call_later(lasts_s, self._taken_away, node)
        self.give_back(node)

    def _taken_away(self, node: Node) -> None:
        if node.gone:
            return
        self.use.evictions += 1
        if node.replica is not None:
            self._evict(node)
        else:
            self.remove(node)
