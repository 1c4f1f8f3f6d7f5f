"""Scaling videogen to zero and back, simulated on a virtual clock: waiting and cost.

Songs come in bursts to a cluster that has no GPU when they come. Real, and no copy: the scaler that
KEDA asks, with its query on tables like those of a gateway; the dispatch that sends takes to
endpoints; the endpoints' tables of jobs with their short queues and their draining; what is tried
again. Modelled: the durable engine's queue of takes, KEDA and the HorizontalPodAutoscaler, the
Deployment and its nodes, and that films need time (see the modules `scaling_*`).

    .venv/bin/python bench/scaling.py --songs 1 10 100 --clips-per-replica 1 2

Per burst: most replicas at a time; share of the time of ready replicas that was spent on clips
which were filmed to their end; how long a clip waited that could have been filmed; how long a song
took, from its first scene to its last; hours of GPU nodes, those included in which they start and
stand idle, beside the hours of filming; clips broken off by scaling down, which must be none, and
by the eviction of spot nodes, which are filmed again.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import random
import statistics
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import structlog

import virtual_time
from scaling_autoscaler import Autoscaler
from scaling_cluster import EVICTION, SCALE_DOWN, Deployment, Rules
from scaling_nodes import Site, Use
from scaling_queue import Gateway, Ledger, Song, Waits, songs
from scaling_replica import Filmed
from soundsight_gateway.scaling.demand import Demand
from soundsight_gateway.scaling.service import ScalerServicer

LOOK_S = 10.0
"""Between two looks for streams. A gateway looks every second, which would cost most of the time
that a simulation takes, and finds nothing that a poll would not find soon."""


@dataclass(frozen=True)
class Result:
    """What came out of a simulation."""

    clips: int
    filmed: Filmed
    waits: Waits
    use: Use
    took_s: float
    """Until no replica and no node was left."""

    @property
    def utilisation(self) -> float:
        """Share of the time of ready replicas that was spent on clips filmed to their end."""
        return self.filmed.filming_s / self.use.ready_s if self.use.ready_s else 0.0


async def simulate(
    site: Site, rules: Rules, bursts: Sequence[Sequence[Song]], *, seed: int = 1
) -> Result:
    """Films all bursts, and waits until everything is scaled down."""
    chance = random.Random(seed)
    spread = random.Random(seed + 1)
    needs_s: dict[str, float] = {}

    def need(key: str) -> float:
        return needs_s.setdefault(key, spread.uniform(*site.clip_s))

    ledger, filmed = Ledger(), Filmed()
    scaler = ScalerServicer(Demand(ledger), ["default"], LOOK_S)
    deployment = Deployment(site, rules, chance, need, filmed)
    autoscaler = Autoscaler(scaler, deployment, rules)
    gateway = Gateway(ledger, deployment.pool, filmed, rules.max_in_flight)
    watching: list[Coroutine[Any, Any, None]] = [
        autoscaler.listen(), autoscaler.poll(), autoscaler.balance(), deployment.keep_costs()
    ]  # fmt: skip
    tasks = [asyncio.create_task(work) for work in watching]
    await asyncio.gather(*(gateway.film(burst) for burst in bursts))
    while not deployment.empty:  # noqa: ASYNC110 - looking costs nothing on a virtual clock
        await asyncio.sleep(10)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await deployment.pool.close()
    return Result(
        clips=sum(song.clips for burst in bursts for song in burst),
        filmed=filmed,
        waits=gateway.waits,
        use=deployment.nodes.use,
        took_s=asyncio.get_running_loop().time(),
    )


HEAD = (
    f"{'songs':>6}{'clips':>7}{'peak':>6}{'filming':>9}{'a clip waits':>20}{'a song takes':>20}"
    f"{'GPU-hours':>16}{'lost':>6}{'evicted':>9}{'given up':>9}\n"
    f"{'':>6}{'':>7}{'':>6}{'':>9}{'median / 95 %':>20}{'median / 95 %':>20}"
    f"{'taken / filming':>16}"
)


def line(number: int, result: Result) -> str:
    """A burst as a line of the table."""
    waits, filmed = result.waits, result.filmed
    return (
        f"{number:>6}{result.clips:>7}{result.use.peak:>6}{result.utilisation:>9.1%}"
        f"{_minutes(waits.clips_s):>20}{_minutes(waits.songs_s):>20}"
        f"{result.use.node_s / 3600:>8.1f} /{filmed.filming_s / 3600:>6.1f}"
        f"{filmed.lost[SCALE_DOWN]:>6}{filmed.lost[EVICTION]:>9}{waits.failed:>9}"
    )


def _minutes(values_s: Sequence[float]) -> str:
    """Median and 95th percentile."""
    if not values_s:
        return "-"
    ordered = sorted(values_s)
    late_s = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return f"{statistics.median(ordered) / 60:.1f} / {late_s / 60:.1f} min"


def main() -> None:
    """Prints a table per setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--songs", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gpus", type=int, default=500)
    parser.add_argument("--eviction-every-h", type=float, default=24.0, help="0: never")
    parser.add_argument(
        "--every-min", type=float, default=0.0, help="songs come one by one, not at once"
    )
    rules = [field for field in fields(Rules) if field.name != "most_replicas"]
    for field in rules:
        kind = type(field.default)
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=(lambda text: text.lower() in ("1", "true", "yes")) if kind is bool else kind,
            nargs="+",
            default=[field.default],
        )
    words = vars(parser.parse_args())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    site = replace(Site(), gpus=words["gpus"], eviction_every_h=words["eviction_every_h"])
    names = [field.name for field in rules]
    for values in itertools.product(*(words[name] for name in names)):
        chosen = dict(zip(names, values, strict=True))
        changed = [name for name in names if len(words[name]) > 1]
        print(", ".join(f"{name} {chosen[name]}" for name in changed) or "the default rules")
        print(HEAD)
        for number in words["songs"]:
            every_s = 60 * words["every_min"]
            burst = songs(number, random.Random(words["seed"]), every_s=every_s)
            work = simulate(
                site,
                Rules(**chosen, most_replicas=words["gpus"]),
                [burst],
                seed=words["seed"],
            )
            print(line(number, virtual_time.run(work)), flush=True)
        print()


if __name__ == "__main__":
    main()
