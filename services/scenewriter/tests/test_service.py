"""The service on a real server: streams, errors with paths, single scenes, its description."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import pytest_asyncio

from soundsight.common.v1 import common_pb2
from soundsight.common.v1.implementation_pb2 import GetInfoRequest
from soundsight.common.v1.implementation_pb2_grpc import ImplementationServiceStub
from soundsight.scenewriter.v1 import scenewriter_pb2 as pb
from soundsight.scenewriter.v1.scenewriter_pb2_grpc import SceneWriterServiceStub
from soundsight.scenewriter.v1.storyboard_pb2 import Scene, Storyboard
from soundsight.videogen.v1 import profile_pb2, shot_pb2
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import SoundsightError, error_from_rpc
from soundsight_kit.settings import KitSettings
from soundsight_kit.testing import running_server, socket_folder
from soundsight_kit.timeline import check_storyboard
from soundsight_scenewriter.service import SceneWriterServicer, scenewriter_info
from soundsight_scenewriter.settings import SceneWriterSettings

if TYPE_CHECKING:  # the generator names it in its stubs alone
    from soundsight.scenewriter.v1.scenewriter_pb2_grpc import SceneWriterServiceAsyncStub

CALL_S = 120.0
KEPT = (
    "id", "index", "start_frame", "frames", "section_index", "place_id", "cues",
    "handle_in_frames", "handle_out_frames", "transition_in", "cut_reason",
)  # fmt: skip


@pytest_asyncio.fixture
async def writer() -> AsyncIterator[SceneWriterServiceAsyncStub]:
    """A client of a running scene writer."""
    settings = SceneWriterSettings(slots=1, queue_limit=4)
    info = scenewriter_info(settings)
    servicer = SceneWriterServicer(settings, info)
    async with (
        running_server(servicer.binding, info=info, drain=servicer.drain) as target,
        open_channel(target) as channel,
    ):
        yield SceneWriterServiceStub(channel)


@pytest.fixture
def pop_request(styles: Any, frames_of: Any) -> pb.WriteStoryboardRequest:
    """A storyboard for the pop song on the built-in renderer's kind of backend."""
    analysis = styles["pop"].analysis()
    request = pb.WriteStoryboardRequest(
        analysis=analysis,
        frames=frames_of(analysis, 24, 1),
        frame_rate=common_pb2.FrameRate(num=24, den=1),
        resolution=common_pb2.Resolution(width=1280, height=720),
        seed=7,
    )
    request.video.min_frames, request.video.max_frames = 1, 2400
    request.video.settings[:] = ["city", "ocean"]
    request.video.prompt_dialect.style = profile_pb2.PROMPT_STYLE_FIELDS
    request.video.capabilities.append(profile_pb2.VIDEO_CAPABILITY_MUSIC_CUES)
    return request


async def write(
    writer: SceneWriterServiceAsyncStub, request: pb.WriteStoryboardRequest
) -> tuple[list[str], Storyboard]:
    """The stages seen, and the storyboard; fails unless that is the one and last event."""
    stages: list[str] = []
    storyboards: list[Storyboard] = []
    async for response in writer.WriteStoryboard(request, timeout=CALL_S):
        if response.WhichOneof("event") == "progress":
            assert not storyboards
            stages.append(response.progress.stage)
        else:
            storyboards.append(response.storyboard)
    (storyboard,) = storyboards
    return stages, storyboard


async def rewrite(
    writer: SceneWriterServiceAsyncStub, request: pb.RewriteSceneRequest
) -> tuple[str, Scene]:
    """The last progress' message, and the scene."""
    message, scenes = "", []
    async for response in writer.RewriteScene(request, timeout=CALL_S):
        if response.WhichOneof("event") == "progress":
            message = response.progress.message
        else:
            scenes.append(response.scene)
    (scene,) = scenes
    return message, scene


async def failure(call: Any) -> SoundsightError:
    """The error that a call ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        async for _ in call:
            pass
    return error_from_rpc(caught.value)


async def test_a_storyboard_is_streamed(
    writer: SceneWriterServiceAsyncStub, pop_request: pb.WriteStoryboardRequest
) -> None:
    """Stages come in their order, and the last message is a sound storyboard."""
    stages, storyboard = await write(writer, pop_request)
    assert stages
    order = ["plan", "treatment", "scenes", "check"]
    assert stages == sorted(stages, key=order.index)
    check_storyboard(storyboard)
    assert storyboard.frames == pop_request.frames
    assert storyboard.seed == 7
    assert storyboard.treatment.title == "Paper Lanterns"
    assert storyboard.authorship.writer == "rules"
    assert storyboard.authorship.fingerprint


async def test_same_request_same_bytes(
    writer: SceneWriterServiceAsyncStub, pop_request: pb.WriteStoryboardRequest
) -> None:
    """Asking twice gives the same storyboard, another seed another one."""
    _, first = await write(writer, pop_request)
    _, second = await write(writer, pop_request)
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(
        deterministic=True
    )
    pop_request.seed = 8
    _, other = await write(writer, pop_request)
    assert [scene.description for scene in other.scenes] != [
        scene.description for scene in first.scenes
    ]


def _set_nan_beat(request: pb.WriteStoryboardRequest) -> None:
    request.analysis.rhythm.beats[3].time_s = float("nan")


def _swap_beats(request: pb.WriteStoryboardRequest) -> None:
    request.analysis.rhythm.beats[5].time_s = 0.1


def _set_nan_curve(request: pb.WriteStoryboardRequest) -> None:
    request.analysis.dynamics.curves[2].values[17] = float("nan")


def _set_zero_hop(request: pb.WriteStoryboardRequest) -> None:
    request.analysis.dynamics.curves[1].hop_s = 0.0


def _set_endless_hop(request: pb.WriteStoryboardRequest) -> None:
    request.analysis.dynamics.curves[1].hop_s = 1.7e308


def _repeat_curve(request: pb.WriteStoryboardRequest) -> None:
    request.analysis.dynamics.curves.add().CopyFrom(request.analysis.dynamics.curves[0])


def _tear_sections(request: pb.WriteStoryboardRequest) -> None:
    request.analysis.sections[2].start_s += 3.0


def _turn_section(request: pb.WriteStoryboardRequest) -> None:
    request.analysis.sections[0].end_s = -1.0


def _wrong_length(request: pb.WriteStoryboardRequest) -> None:
    request.frames += 48


def _no_clip_fits(request: pb.WriteStoryboardRequest) -> None:
    request.video.min_frames = 5000


def _endless_clips(request: pb.WriteStoryboardRequest) -> None:
    request.video.min_frames, request.video.max_frames = 1_000_000_000, 0


def _too_many_scenes(request: pb.WriteStoryboardRequest) -> None:
    request.video.max_frames = 1


def _bad_colour(request: pb.WriteStoryboardRequest) -> None:
    request.brief.palette.add(red=10, green=256, blue=0)


def _six_colours(request: pb.WriteStoryboardRequest) -> None:
    request.brief.palette.extend([common_pb2.Color(red=index) for index in range(6)])


def _wish_elsewhere(request: pb.WriteStoryboardRequest) -> None:
    request.brief.section_wishes.add(section_index=99, text="snow")


def _twin_cast(request: pb.WriteStoryboardRequest) -> None:
    request.brief.cast.add(id="a", name="Ada")
    request.brief.cast.add(id="a", name="Bob")


def _nobody(request: pb.WriteStoryboardRequest) -> None:
    request.brief.cast.add()


BAD_INPUT: list[tuple[str, Any]] = [
    ("frames", lambda r: setattr(r, "frames", 0)),
    ("frames", lambda r: setattr(r, "frames", 10**12)),
    ("frames", _wrong_length),
    ("frame_rate", lambda r: setattr(r.frame_rate, "num", 0)),
    ("frame_rate", lambda r: setattr(r.frame_rate, "den", -1)),
    ("frame_rate", lambda r: r.ClearField("frame_rate")),
    ("seed", lambda r: setattr(r, "seed", -1)),
    ("resolution", lambda r: setattr(r.resolution, "width", -2)),
    ("analysis.rhythm.beats[3].time_s", _set_nan_beat),
    ("analysis.rhythm.beats[5].time_s", _swap_beats),
    ("analysis.rhythm.tempo_bpm", lambda r: setattr(r.analysis.rhythm, "tempo_bpm", float("inf"))),
    ("analysis.dynamics.curves[2].values[17]", _set_nan_curve),
    ("analysis.dynamics.curves[1].hop_s", _set_zero_hop),
    ("analysis.dynamics.curves[1].hop_s", _set_endless_hop),
    ("analysis.dynamics.curves[4]", _repeat_curve),
    ("analysis.sections[2].start_s", _tear_sections),
    ("analysis.sections[0].end_s", _turn_section),
    (
        "analysis.emotion.overall.valence",
        lambda r: setattr(r.analysis.emotion.overall, "valence", float("nan")),
    ),
    (
        "analysis.harmony.keys[0].start_s",
        lambda r: setattr(r.analysis.harmony.keys[0], "start_s", 1.7e308),
    ),
    ("video.min_frames", _no_clip_fits),
    ("video.min_frames", _endless_clips),
    ("video.min_frames", lambda r: setattr(r.video, "min_frames", -1)),
    ("video.max_frames", _too_many_scenes),
    (
        "video.prompt_dialect.max_characters",
        lambda r: setattr(r.video.prompt_dialect, "max_characters", -5),
    ),
    ("brief.style", lambda r: setattr(r.brief, "style", "x" * 2_001)),
    ("brief.story", lambda r: setattr(r.brief, "story", "x" * 100_000)),
    ("brief.setting", lambda r: setattr(r.brief, "setting", "a\x1b[31mcity")),
    ("brief.must_have[0]", lambda r: r.brief.must_have.append("a\x00b")),
    ("brief.never_show[0]", lambda r: r.brief.never_show.append("\u202egnp.exe")),
    ("brief.palette[0].green", _bad_colour),
    ("brief.palette", _six_colours),
    ("brief.section_wishes[0].section_index", _wish_elsewhere),
    ("brief.cut_anticipation_frames", lambda r: setattr(r.brief, "cut_anticipation_frames", 4)),
    ("brief.cast[1].id", _twin_cast),
    ("brief.cast[0].name", _nobody),
]


@pytest.mark.parametrize(("path", "spoil"), BAD_INPUT)
async def test_bad_input_is_named(
    path: str,
    spoil: Any,
    writer: SceneWriterServiceAsyncStub,
    pop_request: pb.WriteStoryboardRequest,
) -> None:
    """Each fault is INVALID_ARGUMENT with the path of its field and one readable sentence."""
    spoil(pop_request)
    error = await failure(writer.WriteStoryboard(pop_request, timeout=CALL_S))
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation[0] for violation in error.field_violations] == [path]
    assert "Traceback" not in error.message


async def test_the_language_model_is_not_here(
    writer: SceneWriterServiceAsyncStub, pop_request: pb.WriteStoryboardRequest
) -> None:
    """Who asks for the language model is told what to do instead, for both calls."""
    pop_request.brief.writer = pb.WRITER_LLM
    error = await failure(writer.WriteStoryboard(pop_request, timeout=CALL_S))
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.reason == "LANGUAGE_MODEL_NOT_AVAILABLE"
    assert "WRITER_RULES" in error.message
    request = pb.RewriteSceneRequest(writer=pb.WRITER_LLM)
    error = await failure(writer.RewriteScene(request, timeout=CALL_S))
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION


async def test_one_scene_is_rewritten(
    writer: SceneWriterServiceAsyncStub, pop_request: pb.WriteStoryboardRequest
) -> None:
    """A note changes weather and distance of its scene; time, cues and handles stay."""
    _, storyboard = await write(writer, pop_request)
    before = storyboard.scenes[4]
    request = pb.RewriteSceneRequest(
        storyboard=storyboard,
        scene_id=before.id,
        note="make it snow, closer, and add a unicorn",
        video=pop_request.video,
        seed=3,
    )
    message, scene = await rewrite(writer, request)
    assert scene.shot.weather == shot_pb2.WEATHER_SNOW
    assert scene.shot.camera.size in (
        before.shot.camera.size + 1,
        shot_pb2.SHOT_SIZE_EXTREME_CLOSE_UP,
    )
    assert "unicorn" in message
    assert scene.seed != before.seed
    assert scene.description != before.description
    for name in KEPT:
        assert getattr(scene, name) == getattr(before, name), name
    storyboard.scenes[4].CopyFrom(scene)
    check_storyboard(storyboard)


async def test_an_unknown_scene_is_not_found(
    writer: SceneWriterServiceAsyncStub, pop_request: pb.WriteStoryboardRequest
) -> None:
    """Rewriting a scene that the storyboard lacks is NOT_FOUND, an unsound storyboard invalid."""
    _, storyboard = await write(writer, pop_request)
    request = pb.RewriteSceneRequest(storyboard=storyboard, scene_id="s999", note="rain")
    error = await failure(writer.RewriteScene(request, timeout=CALL_S))
    assert error.code is grpc.StatusCode.NOT_FOUND
    assert error.resource == ("scene", "s999")
    request.storyboard.scenes[3].start_frame += 1
    error = await failure(writer.RewriteScene(request, timeout=CALL_S))
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.field_violations[0][0].startswith("storyboard.scenes[3]")


async def test_calls_beyond_the_slots_wait(
    writer: SceneWriterServiceAsyncStub, pop_request: pb.WriteStoryboardRequest
) -> None:
    """With one slot, calls made at once are all answered."""
    results = await asyncio.gather(*(write(writer, pop_request) for _ in range(4)))
    assert len({storyboard.SerializeToString() for _, storyboard in results}) == 1


async def test_the_process_serves_and_drains() -> None:
    """`python -m soundsight_scenewriter` answers GetInfo on its socket and ends on SIGTERM."""
    with socket_folder() as folder:
        address = f"unix:{folder}/w.sock"
        environment = {**os.environ, "SOUNDSIGHT_LISTEN": address}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "soundsight_scenewriter", env=environment,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with open_channel(address) as channel:
                info = await ImplementationServiceStub(channel).GetInfo(
                    GetInfoRequest(), timeout=CALL_S, wait_for_ready=True
                )
            assert info.implementation == "soundsight-scenewriter-rules"
            assert info.api_version_low == "v1"
            assert "rules" in info.capabilities
            assert info.fingerprint == scenewriter_info(SceneWriterSettings()).fingerprint
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), CALL_S) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def test_settings_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value out of bounds is refused, not bent."""
    monkeypatch.setenv("SOUNDSIGHT_SCENEWRITER_SLOTS", "0")
    with pytest.raises(ValueError, match="slots"):
        SceneWriterSettings()
    assert KitSettings().listen
