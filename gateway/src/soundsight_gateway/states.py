"""The states of a render and of its scenes, and which may follow which."""

from __future__ import annotations

from typing import Final, TypeAlias

from soundsight.render.v1 import resources_pb2 as r

State: TypeAlias = "r.RenderState.ValueType"

UNSPECIFIED: Final = r.RENDER_STATE_UNSPECIFIED
QUEUED: Final = r.RENDER_STATE_QUEUED
INGESTING: Final = r.RENDER_STATE_INGESTING
ANALYZING: Final = r.RENDER_STATE_ANALYZING
WRITING: Final = r.RENDER_STATE_WRITING
AWAITING_APPROVAL: Final = r.RENDER_STATE_AWAITING_APPROVAL
FILMING: Final = r.RENDER_STATE_FILMING
COMPOSING: Final = r.RENDER_STATE_COMPOSING
PUBLISHING: Final = r.RENDER_STATE_PUBLISHING
SUCCEEDED: Final = r.RENDER_STATE_SUCCEEDED
FAILED: Final = r.RENDER_STATE_FAILED
CANCELLED: Final = r.RENDER_STATE_CANCELLED

FINAL: Final = frozenset({SUCCEEDED, FAILED, CANCELLED})

STAGES: Final[tuple[State, ...]] = (
    INGESTING,
    ANALYZING,
    WRITING,
    FILMING,
    COMPOSING,
    PUBLISHING,
)
"""The states in which work is done, in their order."""

_ORDER: Final[tuple[State, ...]] = (
    QUEUED,
    INGESTING,
    ANALYZING,
    WRITING,
    AWAITING_APPROVAL,
    FILMING,
    COMPOSING,
    PUBLISHING,
    SUCCEEDED,
)


UNFINISHED: Final[tuple[State, ...]] = tuple(state for state in _ORDER if state not in FINAL)


def may_follow(before: State, after: State) -> bool:
    """Whether `after` may follow `before`.

    States only move forward; some may be left out (a render that ends with its analysis goes from
    ANALYZING to SUCCEEDED). Every state but the final ones may go to FAILED or CANCELLED.
    """
    if before in FINAL:
        return False
    if after in (FAILED, CANCELLED):
        return True
    return _ORDER.index(after) > _ORDER.index(before)


def label(state: State) -> str:
    """The state in a word, such as `filming`."""
    return r.RenderState.Name(state).removeprefix("RENDER_STATE_").lower().replace("_", " ")
