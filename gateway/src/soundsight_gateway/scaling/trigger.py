"""What an operator writes into a KEDA trigger, read strictly. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Self

from soundsight.keda import externalscaler_pb2 as keda
from soundsight_gateway.settings import DEFAULT_POOL
from soundsight_kit.errors import InvalidArgument, NotFound

POOL: Final = "pool"
CLIPS_PER_REPLICA: Final = "clipsPerReplica"

FEWEST_CLIPS: Final = 0.01
MOST_CLIPS: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Trigger:
    """Which pool is scaled, and how many clips one of its replicas should have."""

    pool: str
    clips_per_replica: float

    @classmethod
    def of(cls, scaled: keda.ScaledObjectRef, pools: Collection[str], path: str = "") -> Self:
        """What a trigger's metadata says; keys that are KEDA's own are none of ours.

        Args:
            scaled: the ScaledObject.
            pools: names of the pools there are.
            path: where it lies in the request, such as `scaledObjectRef.`.

        Raises InvalidArgument naming the key, NotFound for a pool that is not configured.
        """
        pool = scaled.scalerMetadata.get(POOL, DEFAULT_POOL)
        if pool not in pools:
            known = ", ".join(sorted(pools))
            raise NotFound(
                "video pool",
                pool,
                message=f"the trigger's {POOL} is {pool[:63]!r}, but the video pools of this "
                f"gateway are: {known}",
            )
        return cls(pool, _clips(scaled.scalerMetadata.get(CLIPS_PER_REPLICA, "1"), path))

    @property
    def metric(self) -> str:
        """The metric's name at KEDA and at the autoscaler."""
        return f"soundsight-{self.pool}"

    def spec(self) -> keda.MetricSpec:
        """The metric and its target. A KEDA that knows whole numbers alone gets the nearest one
        that is a target at all."""
        return keda.MetricSpec(
            metricName=self.metric,
            targetSize=max(1, round(self.clips_per_replica)),
            targetSizeFloat=self.clips_per_replica,
        )

    def value(self, clips: int) -> keda.MetricValue:
        """The metric's value while so many clips could be filmed."""
        return keda.MetricValue(metricName=self.metric, metricValue=clips, metricValueFloat=clips)


def _clips(text: str, path: str) -> float:
    try:
        clips = float(text)
    except ValueError:
        clips = 0.0
    # Written so that nan, which compares as false, is refused as well.
    if not FEWEST_CLIPS <= clips <= MOST_CLIPS:
        raise InvalidArgument(
            f"the trigger's {CLIPS_PER_REPLICA} must be a number from {FEWEST_CLIPS:g} to "
            f"{MOST_CLIPS:g}, not {text[:63]!r}",
            field=f"{path}scalerMetadata.{CLIPS_PER_REPLICA}",
        )
    return clips
