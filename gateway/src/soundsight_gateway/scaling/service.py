"""KEDA's external scaler: how many clips of a videogen pool could be filmed right now.

Per videogen pool a ScaledObject names this gateway as the address of its trigger (`external` or
`external-push`), with `pool` and `clipsPerReplica` in the trigger's metadata. The contract is
KEDA's; its origin lies beside `externalscaler.proto`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from typing import Any, Final

from soundsight.keda import externalscaler_pb2 as keda
from soundsight.keda import externalscaler_pb2_grpc
from soundsight_gateway.error_table import SCALER_SERVICE
from soundsight_gateway.scaling.demand import Demand
from soundsight_gateway.scaling.feed import LOOK_S, ActivityFeed
from soundsight_gateway.scaling.trigger import Trigger
from soundsight_kit.server import ServiceBinding

ANSWERED: Final = ("IsActive", "GetMetricSpec", "GetMetrics")
"""Methods with one answer, unlike StreamIsActive."""
ANSWER_DEADLINE_S: Final = 10.0
"""What a question gets whose caller sets no deadline, as KEDA does not."""


class ScalerServicer(externalscaler_pb2_grpc.ExternalScalerServicer):
    """Answers KEDA.

    Args:
        demand: what could be filmed.
        pools: names of the pools there are.
        look_s: seconds between two looks on behalf of streams.
    """

    def __init__(self, demand: Demand, pools: Collection[str], look_s: float = LOOK_S) -> None:
        self._demand = demand
        self._pools = frozenset(pools)
        self._feed = ActivityFeed(demand.clips, look_s)

    def leave(self) -> None:
        """Ends all streams, in good order: after an error KEDA comes back ever more slowly."""
        self._feed.leave()

    async def IsActive(  # noqa: N802
        self, request: keda.ScaledObjectRef, context: Any
    ) -> keda.IsActiveResponse:
        """Whether any clip could be filmed."""
        trigger = Trigger.of(request, self._pools)
        return keda.IsActiveResponse(result=await self._clips(trigger) > 0)

    async def StreamIsActive(  # noqa: N802
        self, request: keda.ScaledObjectRef, context: Any
    ) -> AsyncIterator[keda.IsActiveResponse]:
        """The same, now and at every change, until the caller or this gateway goes."""
        trigger = Trigger.of(request, self._pools)
        async with aclosing(self._feed.activity(trigger.pool)) as activity:
            async for active in activity:
                yield keda.IsActiveResponse(result=active)

    async def GetMetricSpec(  # noqa: N802
        self, request: keda.ScaledObjectRef, context: Any
    ) -> keda.GetMetricSpecResponse:
        """The one metric of a pool and its target."""
        trigger = Trigger.of(request, self._pools)
        return keda.GetMetricSpecResponse(metricSpecs=[trigger.spec()])

    async def GetMetrics(  # noqa: N802
        self, request: keda.GetMetricsRequest, context: Any
    ) -> keda.GetMetricsResponse:
        """Clips that could be filmed. There is one metric, so that its name is not looked at: some
        versions of KEDA put a number before it."""
        trigger = Trigger.of(request.scaledObjectRef, self._pools, "scaledObjectRef.")
        value = trigger.value(await self._clips(trigger))
        return keda.GetMetricsResponse(metricValues=[value])

    async def _clips(self, trigger: Trigger) -> int:
        return (await self._demand.clips()).get(trigger.pool, 0)


def scaler_binding(servicer: ScalerServicer) -> ServiceBinding:
    """How the scaler is added to a server."""
    return ServiceBinding(
        SCALER_SERVICE,
        lambda server: externalscaler_pb2_grpc.add_ExternalScalerServicer_to_server(
            servicer, server
        ),
        default_deadlines_s=dict.fromkeys(ANSWERED, ANSWER_DEADLINE_S),
        polled=(*ANSWERED, "StreamIsActive"),
    )
