"""What is done about a clip that failed in a worker: tried again as it is, with less memory, or
given up. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from soundsight_kit.errors import FailedPrecondition, SoundsightError
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.supervising.process import WORKER_DIED, WORKER_HUNG

OUT_OF_MEMORY = "OUT_OF_MEMORY"


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a clip is tried: under which memory plan, after how many workers were lost to it."""

    plan: MemoryPlan = MemoryPlan.FASTEST
    lost_workers: int = 0


def next_attempt(failed: Attempt, error: SoundsightError, workers_a_clip: int) -> Attempt:
    """How to try again after an attempt failed; raises what the caller is told when that is no use.

    Too little memory is met with the next cheaper plan. A worker that died or hung is replaced, up
    to `workers_a_clip` workers for one clip: one that takes them all with it is at fault itself.
    """
    if error.reason == OUT_OF_MEMORY:
        cheaper = failed.plan.cheaper()
        if cheaper is None:
            # Not RESOURCE_EXHAUSTED: no other moment and no equal device has more memory.
            raise FailedPrecondition(
                "this clip needs more memory than the device has, even under the most frugal plan: "
                "ask for a smaller picture or a shorter shot, or film it on a larger device",
                reason=OUT_OF_MEMORY,
                metadata={"memory_plan": failed.plan.name.lower()},
            ) from error
        return replace(failed, plan=cheaper)
    if error.reason in (WORKER_DIED, WORKER_HUNG) and failed.lost_workers + 1 < workers_a_clip:
        return replace(failed, lost_workers=failed.lost_workers + 1)
    raise error
