"""How far a render is, and how long it will take: estimates, and pure.

Each stage takes about so many seconds per frame of video. These rates are learned from the renders
that went well lately on this gateway; before there are any, round figures of one machine stand in.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from soundsight.common.v1 import common_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight_gateway import states
from soundsight_gateway.rows import Span

Rates = Mapping[states.State, float]
"""Seconds of each stage per frame of video."""

DEFAULT_RATES: Final[Rates] = {
    states.INGESTING: 0.002,
    states.ANALYZING: 0.012,
    states.WRITING: 0.001,
    states.FILMING: 0.1,
    states.COMPOSING: 0.01,
    states.PUBLISHING: 0.0005,
}
"""A 45 s song at 24 frames per second on two cores: two minutes, of which filming takes 80 %."""

LEARNED_FROM: Final = 20
"""How many of the latest renders count."""

_PARTS: Final[Mapping[states.State, Mapping[str, float]]] = {
    states.ANALYZING: {
        "fetch": 0.02,
        "decode": 0.1,
        "rhythm": 0.25,
        "harmony": 0.1,
        "dynamics": 0.1,
        "tags": 0.25,
        "structure": 0.06,
        "emotion": 0.02,
        "voice": 0.02,
        "lyrics": 0.04,
        "concept": 0.04,
    },
    states.WRITING: {"plan": 0.2, "treatment": 0.2, "scenes": 0.5, "check": 0.1},
    states.COMPOSING: {
        "queue": 0.0,
        "fetch": 0.1,
        "join": 0.4,
        "audio": 0.2,
        "mux": 0.1,
        "verify": 0.15,
        "store": 0.05,
    },
}
"""The stages that services go through within one of ours, in their contracts' order, and their
rough shares of its time. What a service leaves out is skipped over."""

_SURE_SHARE: Final = 0.05
"""From here on the stage's own pace says more about what is left than other renders do."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Share of the render that is done, 0 to 1, and seconds left; 0 s while not known."""

    fraction: float
    remaining_s: float


def learn(successes: Iterable[tuple[int, Sequence[Span]]]) -> Rates:
    """The median rate of each stage over renders given by their frames and stages.

    Renders that found all their clips made no pictures: their filming took no time, and the median
    leaves such outliers out as long as they are the fewer.
    """
    seen: dict[states.State, list[float]] = {}
    for frames, spans in successes:
        for span in spans:
            if span.end_us is not None and span.state in DEFAULT_RATES and frames > 0:
                taken_s = (span.end_us - span.start_us) / 1e6
                seen.setdefault(span.state, []).append(taken_s / frames)
    # Never quite zero, or a stage would count for nothing in every render to come.
    return {
        stage: max(statistics.median(seen[stage]), rate / 100) if stage in seen else rate
        for stage, rate in DEFAULT_RATES.items()
    }


def share_of(state: states.State, moved: common_pb2.Progress) -> float:
    """How much of a stage is done when its service says `moved`, 0 to 1."""
    within = min(1.0, moved.done / moved.total) if moved.total > 0 else 0.0
    parts = _PARTS.get(state)
    if parts is None:
        return within
    before = 0.0
    for part, weight in parts.items():
        if part == moved.stage:
            return before + weight * within
        before += weight
    return 0.0


def stages_of(goal: r.RenderGoal.ValueType) -> tuple[states.State, ...]:
    """The stages that a render with this goal goes through."""
    last = {
        r.RENDER_GOAL_ANALYSIS: states.ANALYZING,
        r.RENDER_GOAL_STORYBOARD: states.WRITING,
    }.get(goal, states.PUBLISHING)
    return states.STAGES[: states.STAGES.index(last) + 1]


def estimate(
    rates: Rates,
    goal: r.RenderGoal.ValueType,
    state: states.State,
    *,
    share: float,
    elapsed_s: float,
    frames: int,
) -> Estimate:
    """Estimates a render that is in `state`.

    Args:
        rates: seconds of each stage per frame.
        goal: how far the render goes.
        state: the present stage; QUEUED and final states count as such.
        share: how much of the stage is done, 0 to 1.
        elapsed_s: seconds that the stage has taken so far.
        frames: of the video; 0 while not known.
    """
    stages = stages_of(goal)
    if state == states.SUCCEEDED:
        return Estimate(1.0, 0.0)
    if state not in stages:
        return Estimate(0.0, 0.0)
    share = min(1.0, max(0.0, share))
    here = stages.index(state)
    whole = sum(rates[stage] for stage in stages)
    done = sum(rates[stage] for stage in stages[:here]) + rates[state] * share
    if frames <= 0:
        return Estimate(done / whole, 0.0)
    left_s = rates[state] * frames * (1 - share)
    if share >= _SURE_SHARE and elapsed_s > 0:
        left_s = elapsed_s * (1 - share) / share
    left_s += sum(rates[stage] for stage in stages[here + 1 :]) * frames
    return Estimate(done / whole, left_s)
