"""KEDA and the HorizontalPodAutoscaler of the simulation, asking the gateway's own scaler.

Modelled after what they document: KEDA's activation and cool-down between no replica and one; from
one upwards the autoscaler's formula with tolerance, stabilisation window and policies.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Final

from scaling_cluster import Deployment, Rules
from soundsight.keda import externalscaler_pb2 as keda
from soundsight_gateway.scaling.service import ScalerServicer

SYNC_S: Final = 15.0
"""Between two looks of the autoscaler, by default."""
TOLERANCE: Final = 0.1
"""Share by which the metric may miss its target before anything is done, by default."""


class Autoscaler:
    """KEDA, and the HorizontalPodAutoscaler that it makes."""

    def __init__(self, scaler: ScalerServicer, deployment: Deployment, rules: Rules) -> None:
        self._scaler, self._deployment, self._rules = scaler, deployment, rules
        self._scaled = keda.ScaledObjectRef(
            name="videogen",
            namespace="films",
            scalerMetadata={"pool": "default", "clipsPerReplica": f"{rules.clips_per_replica:g}"},
        )
        self._loop = asyncio.get_running_loop()
        self._active_s = float("-inf")
        self._recommended: deque[tuple[float, int]] = deque()

    async def listen(self) -> None:
        """Hears at once when there is work."""
        async for answer in self._scaler.StreamIsActive(self._scaled, None):
            self._activity(answer.result)

    async def poll(self) -> None:
        """Asks every now and then whether there is work."""
        while True:
            self._activity((await self._scaler.IsActive(self._scaled, None)).result)
            await asyncio.sleep(self._rules.polling_s)

    async def balance(self) -> None:
        """Scales between one and the most."""
        while True:
            await asyncio.sleep(SYNC_S)
            if self._deployment.replicas:
                self._deployment.scale(await self._wanted())

    def _activity(self, active: bool) -> None:
        now_s = self._loop.time()
        if active:
            self._active_s = now_s
            if not self._deployment.replicas:
                self._deployment.scale(1)
        elif now_s - self._active_s > self._rules.cooldown_s:
            self._deployment.scale(0)

    async def _wanted(self) -> int:
        (spec,) = (await self._scaler.GetMetricSpec(self._scaled, None)).metricSpecs
        request = keda.GetMetricsRequest(scaledObjectRef=self._scaled, metricName=spec.metricName)
        (value,) = (await self._scaler.GetMetrics(request, None)).metricValues
        present = len(self._deployment.replicas)
        share = value.metricValueFloat / (spec.targetSizeFloat * present)
        wanted = present
        if abs(share - 1) > TOLERANCE:
            wanted = math.ceil(value.metricValueFloat / spec.targetSizeFloat)
        rules, now_s = self._rules, self._loop.time()
        self._recommended.append((now_s, wanted))
        while self._recommended[0][0] < now_s - rules.window_s:
            self._recommended.popleft()
        if wanted < present:
            wanted = min(present, max(number for _, number in self._recommended))
        most = max(present + rules.up_pods, math.ceil(present * (1 + rules.up_percent / 100)))
        return max(1, min(wanted, most, rules.most_replicas))
