"""EstimateRender: what a render would take, from the song's real length."""

from __future__ import annotations

from typing import Final

from soundsight.common.v1 import common_pb2
from soundsight.render.v1 import resources_pb2 as r
from soundsight.videogen.v1 import profile_pb2, videogen_pb2
from soundsight_gateway import plan, progress, states
from soundsight_gateway.hub import Hub
from soundsight_gateway.ingest import Ingest
from soundsight_gateway.services import Services

SHOT_S: Final = 2.5
"""Seconds of an average shot; professional videos cut about every 2 s (arXiv 2108.00970)."""

STANDARD_PIXELS: Final = 1280 * 720
DECLARED_CONFIDENCE: Final = 0.5
GUESSED_CONFIDENCE: Final = 0.2


class Estimating:
    """Estimates renders that nobody started."""

    def __init__(self, ingest: Ingest, services: Services, hub: Hub) -> None:
        self._ingest = ingest
        self._services = services
        self._hub = hub

    async def estimate(self, project: str, spec: r.RenderSpec) -> r.RenderEstimate:
        """Returns what a checked spec would take.

        The song is taken in for that, as a render of it would; the render that may follow finds it
        done. Raises what taking it in raises, and Unavailable when nothing is known of the pool.
        """
        wish = plan.wish(spec)
        excerpt = spec.excerpt if spec.HasField("excerpt") else None
        taken = await self._ingest.take(project, spec.song, excerpt, wish.frame_rate)
        profile = await self._services.profile(wish.pool)
        slots = await self._services.pool(wish.pool).slots()
        return estimate(taken.song, wish, profile, slots, self._hub.rates)


def estimate(
    song: r.CanonicalSong,
    wish: plan.Wish,
    profile: profile_pb2.VideoGenProfile,
    slots: int,
    rates: progress.Rates,
) -> r.RenderEstimate:
    """Pure: scenes, work on one slot and time on `slots` slots.

    A declared speed holds for standard quality at 1280x720 and grows with the internal picture's
    area; without one, the latest renders' pace stands in.
    """
    shot_frames = SHOT_S * float(wish.rate)
    if profile.max_frames:
        shot_frames = min(shot_frames, profile.max_frames)
    goes = progress.stages_of(wish.goal)
    filming_s = 0.0
    if states.FILMING in goes:
        per_frame_s = profile.seconds_per_frame * _cost(profile, wish)
        # Rates are of the whole pool as it was, declared speeds of one slot.
        filming_s = song.frames * (per_frame_s or rates[states.FILMING] * slots)
    other_s = song.frames * sum(rates[stage] for stage in goes if stage != states.FILMING)
    declared = profile.seconds_per_frame > 0
    return r.RenderEstimate(
        scenes=max(1, round(song.frames / shot_frames)),
        frames=song.frames,
        work_s=filming_s + other_s,
        wall_s=filming_s / max(1, slots) + other_s,
        evidence=common_pb2.Evidence(
            confidence=DECLARED_CONFIDENCE if declared else GUESSED_CONFIDENCE,
            source="the pool's declared speed" if declared else "the pace of earlier renders",
        ),
    )


def _cost(profile: profile_pb2.VideoGenProfile, wish: plan.Wish) -> float:
    """How much more a picture of this render costs than the one whose speed was declared."""
    measured = common_pb2.Resolution(
        width=plan.DEFAULT_RESOLUTION[0], height=plan.DEFAULT_RESOLUTION[1]
    )
    standard = plan.internal_resolution(profile, measured, videogen_pb2.QUALITY_STANDARD)
    wanted = plan.internal_resolution(profile, wish.resolution, wish.quality)
    return (wanted.width * wanted.height) / (standard.width * standard.height)
