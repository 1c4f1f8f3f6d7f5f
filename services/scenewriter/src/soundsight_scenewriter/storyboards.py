"""Plans and writes a storyboard in its stages, and makes sure that it is sound and fits."""

from __future__ import annotations

from collections.abc import Callable

from soundsight.scenewriter.v1 import storyboard_pb2
from soundsight_kit.channels import MAX_MESSAGE_BYTES
from soundsight_kit.errors import Internal, InvalidArgument
from soundsight_kit.timeline import check_storyboard
from soundsight_scenewriter.messages import storyboard_message
from soundsight_scenewriter.planning.cues import SongMusic
from soundsight_scenewriter.planning.planner import plan
from soundsight_scenewriter.planning.types import Plan
from soundsight_scenewriter.requests import WriteOrder
from soundsight_scenewriter.writing.film import Film
from soundsight_scenewriter.writing.rules import write_outline, write_scenes

STAGES = ("plan", "treatment", "scenes", "check")
# Room for the response around the storyboard.
MOST_BYTES = MAX_MESSAGE_BYTES - 65_536

Report = Callable[[str, int, int, str], None]


def write_storyboard(
    order: WriteOrder, authorship: storyboard_pb2.Authorship, report: Report
) -> storyboard_pb2.Storyboard:
    """Writes a storyboard; `report` gets (stage, done, total, message) at each stage's ends.

    Raises InvalidArgument when the storyboard cannot fit into a message, Internal when it breaks
    its own contract.
    """
    planned = plan_shots(order, report)
    film = write_by_rules(order, planned, report)
    return finish_storyboard(order, planned, film, authorship, report)


def plan_shots(order: WriteOrder, report: Report) -> Plan:
    """The first stage: where the video is cut, whoever writes it."""
    report("plan", 0, 1, "choosing cuts")
    planned = plan(
        order.song,
        order.timeline,
        order.backend.limits,
        pace=order.brief.pace,
        anticipation_frames=order.brief.anticipation_frames,
        seed=order.seed,
    )
    report("plan", 1, 1, f"{len(planned.shots)} shots in {len(planned.takes)} clips")
    return planned


def write_by_rules(order: WriteOrder, planned: Plan, report: Report) -> Film:
    """The stages between, by the rules: treatment and scenes."""
    report("treatment", 0, 1, "")
    line = write_outline(order.song, order.brief, order.backend, order.seed)
    report("treatment", 1, 1, line.treatment.title)
    report("scenes", 0, len(planned.takes), "")
    return write_scenes(
        order.song, order.timeline, planned, line, order.brief, order.backend, order.seed
    )


def finish_storyboard(
    order: WriteOrder,
    planned: Plan,
    film: Film,
    authorship: storyboard_pb2.Authorship,
    report: Report,
) -> storyboard_pb2.Storyboard:
    """The last stages: the film that either writer made becomes a storyboard, and is checked.

    Raises as `write_storyboard` does.
    """
    timeline, takes = order.timeline, len(planned.takes)
    music = SongMusic(order.song, timeline)
    storyboard = storyboard_message(
        timeline,
        planned,
        film,
        [music.clip(take) for take in planned.takes],
        seed=order.seed,
        anticipation_frames=order.brief.anticipation_frames,
        authorship=authorship,
    )
    report("scenes", takes, takes, "")

    report("check", 0, 1, "")
    _fit(storyboard, order)
    try:
        check_storyboard(storyboard)
    except InvalidArgument as error:
        where = ", ".join(path for path, _ in error.field_violations)
        raise Internal(
            f"the storyboard that was written is unsound: {where} {error.message}",
            reason="UNSOUND_STORYBOARD",
        ) from error
    report("check", 1, 1, "")
    return storyboard


def _fit(storyboard: storyboard_pb2.Storyboard, order: WriteOrder) -> None:
    """Makes the storyboard fit into a message: cues that the backend does not use go first."""
    if storyboard.ByteSize() <= MOST_BYTES:
        return
    if not order.backend.music_cues:
        for scene in storyboard.scenes:
            scene.ClearField("cues")
        storyboard.notes.append(
            "The music cues were left out: the storyboard would not fit into a message, and this "
            "backend does not use them."
        )
    size = storyboard.ByteSize()
    if size > MOST_BYTES:
        raise InvalidArgument(
            f"The storyboard would need {size / 2**20:.1f} MiB; a message holds "
            f"{MAX_MESSAGE_BYTES / 2**20:.0f}. Use a lower frame rate or an excerpt.",
            field="frames",
        )
