"""From plain values to messages: the storyboard as the contract has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from soundsight.common.v1 import common_pb2
from soundsight.scenewriter.v1 import storyboard_pb2 as pb
from soundsight.videogen.v1 import shot_pb2
from soundsight_scenewriter.brief import CastMember
from soundsight_scenewriter.planning.cues import ClipMusic
from soundsight_scenewriter.planning.types import Plan, Reason, Take, TransitionKind
from soundsight_scenewriter.song import CurveName
from soundsight_scenewriter.texts import capitalised
from soundsight_scenewriter.timeline import Timeline
from soundsight_scenewriter.writing.colour import Rgb
from soundsight_scenewriter.writing.film import Camera, Film, FilmScene, Treatment

_TRANSITIONS = {
    TransitionKind.CUT: common_pb2.TRANSITION_KIND_CUT,
    TransitionKind.CROSS_FADE: common_pb2.TRANSITION_KIND_CROSS_FADE,
    TransitionKind.DIP_TO_BLACK: common_pb2.TRANSITION_KIND_DIP_TO_BLACK,
}
_REASONS = {
    Reason.START: pb.CutReason.CUT_REASON_START,
    Reason.SECTION: pb.CutReason.CUT_REASON_SECTION,
    Reason.DOWNBEAT: pb.CutReason.CUT_REASON_DOWNBEAT,
    Reason.BEAT: pb.CutReason.CUT_REASON_BEAT,
    Reason.EVENT: pb.CutReason.CUT_REASON_EVENT,
    Reason.LENGTH: pb.CutReason.CUT_REASON_LENGTH,
    Reason.TAKE: pb.CutReason.CUT_REASON_TAKE,
}


def time_of_day(name: str) -> shot_pb2.TimeOfDay.ValueType:
    """`golden_hour` as the contract's value; an empty name leaves it to the backend."""
    return shot_pb2.TimeOfDay.Value(f"TIME_OF_DAY_{(name or 'unspecified').upper()}")


def weather(name: str) -> shot_pb2.Weather.ValueType:
    """`rain` as the contract's value."""
    return shot_pb2.Weather.Value(f"WEATHER_{(name or 'unspecified').upper()}")


def camera_message(camera: Camera) -> shot_pb2.Camera:
    """A camera by its names."""
    return shot_pb2.Camera(
        move=shot_pb2.CameraMove.Value(f"CAMERA_MOVE_{camera.move.upper()}"),
        size=shot_pb2.ShotSize.Value(f"SHOT_SIZE_{camera.size.upper()}"),
        angle=shot_pb2.CameraAngle.Value(f"CAMERA_ANGLE_{camera.angle.upper()}"),
        lens_mm=camera.lens_mm,
    )


def colour_messages(palette: Iterable[Rgb]) -> list[common_pb2.Color]:
    """A palette, names included."""
    return [
        common_pb2.Color(red=colour.red, green=colour.green, blue=colour.blue, name=colour.name)
        for colour in palette
    ]


def cues_message(music: ClipMusic) -> shot_pb2.MusicCues:
    """A clip's cues; curves that the analysis lacks stay empty."""
    return shot_pb2.MusicCues(
        energy=music.curves.get(CurveName.ENERGY, b""),
        bass=music.curves.get(CurveName.BASS, b""),
        onset=music.curves.get(CurveName.ONSET, b""),
        brightness=music.curves.get(CurveName.BRIGHTNESS, b""),
        beat_frames=music.beat_frames,
        downbeat_frames=music.downbeat_frames,
    )


def _cast(members: Iterable[CastMember]) -> list[pb.CastMember]:
    return [
        pb.CastMember(
            id=member.id,
            name=member.name,
            look=member.look,
            wardrobe=member.wardrobe,
            reference_images=member.reference_images,
        )
        for member in members
    ]


def treatment_message(treatment: Treatment) -> pb.Treatment:
    """What holds the film together."""
    return pb.Treatment(
        title=treatment.title,
        logline=treatment.logline,
        theme=treatment.theme,
        look=treatment.look,
        period=treatment.period,
        palette=colour_messages(treatment.palette),
        places=[
            pb.Place(
                id=place.id,
                name=capitalised(place.name),
                setting=place.setting,
                description=capitalised(place.description),
                place_seed=place.place_seed,
            )
            for place in treatment.places
        ],
        cast=_cast(treatment.cast),
        motifs=treatment.motifs,
        arc=[
            pb.ArcPoint(section_index=index, text=text) for index, text in enumerate(treatment.arc)
        ],
    )


def scene_message(index: int, take: Take, scene: FilmScene, music: ClipMusic) -> pb.Scene:
    """One scene; its id counts from `s001` and stays with it for good."""
    staging, words = scene.staging, scene.words
    return pb.Scene(
        id=f"s{index + 1:03d}",
        index=index,
        start_frame=take.start_frame,
        frames=take.frames,
        section_index=take.section_index,
        description=words.description,
        shot=shot_pb2.Shot(
            prompt=scene.prompt,
            negative_prompt=scene.negative_prompt,
            setting=staging.place.setting,
            subject=words.subject,
            action=words.action,
            mood=staging.mood,
            time_of_day=time_of_day(staging.time),
            weather=weather(staging.weather),
            camera=camera_message(staging.camera),
            palette=colour_messages(staging.palette),
            density=staging.density,
            motion=staging.motion,
            place_seed=staging.place.place_seed,
        ),
        place_id=staging.place.id,
        cast_ids=words.cast_ids,
        transition_in=common_pb2.Transition(
            kind=_TRANSITIONS[take.transition.kind],
            frames=take.transition.frames,
        ),
        handle_in_frames=take.handle_in_frames,
        handle_out_frames=take.handle_out_frames,
        continues_previous=take.take_index > 0,
        seed=scene.seed,
        cues=cues_message(music),
        cut_reason=_REASONS[take.reason],
    )


def storyboard_message(
    timeline: Timeline,
    plan: Plan,
    film: Film,
    music: Sequence[ClipMusic],
    *,
    seed: int,
    anticipation_frames: int,
    authorship: pb.Authorship,
) -> pb.Storyboard:
    """The whole storyboard."""
    return pb.Storyboard(
        frames=timeline.frames,
        frame_rate=common_pb2.FrameRate(num=timeline.num, den=timeline.den),
        seed=seed,
        treatment=treatment_message(film.treatment),
        scenes=[
            scene_message(index, take, scene, clip)
            for index, (take, scene, clip) in enumerate(
                zip(plan.takes, film.scenes, music, strict=True)
            )
        ],
        cut_anticipation_frames=anticipation_frames,
        authorship=authorship,
        notes=[*plan.notes, *film.notes],
    )
