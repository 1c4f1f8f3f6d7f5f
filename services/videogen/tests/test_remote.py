"""Clips come from a remote videos API, exact to the frame, however that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import av
import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from scripted_videos_api import LEVEL_OF_FRAME, Script, videos_api
from videogen_requests import clip_request
from videogen_serving import Serving, serving

from soundsight.videogen.v1.videogen_pb2 import Clip, GenerateClipRequest
from soundsight_kit.testing import assert_eventually
from soundsight_videogen.remote.backend import RemoteBackend
from soundsight_videogen.remote.timing import native_frames, source_frame
from soundsight_videogen.settings import VideoGenSettings


@asynccontextmanager
async def remote(
    folder: Path, script: Script, timeout_s: float = 300.0, fps: int = 24, step: int = 1
) -> AsyncIterator[Serving]:
    """Serves clips of a scripted API."""
    with videos_api(script) as url:
        settings = VideoGenSettings(
            remote_url=url,
            remote_model="wan",
            remote_key=SecretStr("secret"),
            remote_licence="Apache-2.0",
            remote_revision="r7",
            remote_sizes=("320x180",),
            remote_fps=fps,
            remote_frame_step=step,
            remote_frame_offset=1,
            remote_poll_s=0.02,
            remote_timeout_s=timeout_s,
        )
        async with serving(folder, RemoteBackend(settings)) as here:
            yield here


def request(key: str, rate: Fraction = Fraction(24), shot_frames: int = 20) -> GenerateClipRequest:
    """A clip of the size that the remote model makes."""
    asked = clip_request(
        key, shot_frames=shot_frames, handles=(4, 4), internal=(320, 180), rate=rate
    )
    asked.shot.prompt = "a lighthouse in the fog"
    return asked


async def greys(here: Serving, clip: Clip, folder: Path) -> list[float]:
    """The mean grey of each frame."""
    path = folder / "fetched.mp4"
    await here.store.get_file(clip.video, path)
    with av.open(str(path)) as video:
        return [float(f.to_ndarray(format="rgb24").mean()) for f in video.decode(video=0)]


async def test_a_remote_clip_is_ours_to_the_frame(tmp_path: Path) -> None:
    """It has the frames asked for in their order, the key frames and size of any other clip, and
    what made it on record; the job is deleted."""
    script = Script()
    async with remote(tmp_path, script) as here:
        asked = request("exact")
        asked.store_last_frame = True
        clip = await here.clip(asked)
        seen = await greys(here, clip, tmp_path)
        await here.audit()
    assert seen == pytest.approx([20 + LEVEL_OF_FRAME * n for n in range(28)], abs=2.5)
    assert clip.HasField("last_frame")
    assert (clip.provenance.model_id, clip.provenance.model_licence) == ("wan", "Apache-2.0")
    (fields,) = script.created
    assert fields["prompt"] == "a lighthouse in the fog"
    assert (fields["width"], fields["height"], fields["num_frames"]) == ("320", "180", "28")
    assert fields["seed"] == "7"
    assert script.keys == {"Bearer secret"}
    assert script.deleted == ["video_0"]


async def test_another_frame_rate_is_retimed(tmp_path: Path) -> None:
    """A model of 16 frames a second on a grid of 4k+1 fills a clip of 24, showing each moment when
    it comes."""
    script = Script()
    async with remote(tmp_path, script, fps=16, step=4) as here:
        clip = await here.clip(request("retimed"))
        seen = await greys(here, clip, tmp_path)
    assert script.created[0]["num_frames"] == "21"
    expected = [20 + LEVEL_OF_FRAME * ((2 * n + 1) * 16 // 48) for n in range(28)]
    assert seen == pytest.approx(expected, abs=2.5)
    assert any("16 to 24" in note for note in clip.provenance.notes)


async def test_a_start_image_goes_along(tmp_path: Path) -> None:
    """A chained take's first picture reaches the server whole; another project's is not found."""
    script = Script()
    async with remote(tmp_path, script) as here:
        picture = await here.store.put_bytes("projects/tests/first.png", b"png bytes", "image/png")
        foreign = await here.store.put_bytes("projects/other/first.png", b"theirs", "image/png")
        asked = request("chained")
        asked.start_image.CopyFrom(picture)
        await here.clip(asked)
        asked = request("stolen")
        asked.start_image.CopyFrom(foreign)
        error = await here.refused(asked)
        await here.audit()
    assert script.pictures == [b"png bytes"]
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_refusals_that_pass_are_sat_out(tmp_path: Path) -> None:
    """429 and 500 are tried again when Retry-After says; the clip is made once."""
    script = Script(refuse=[429, 500, 503])
    async with remote(tmp_path, script) as here:
        assert (await here.clip(request("patient"))).video.size_bytes > 0
    assert len(script.created) == 1
    assert script.refuse == []


@pytest.mark.parametrize(
    ("script", "code", "reason"),
    [
        (Script(refuse=[429] * 9), grpc.StatusCode.UNAVAILABLE, "REMOTE_UNAVAILABLE"),
        (Script(refuse=[400]), grpc.StatusCode.INVALID_ARGUMENT, "REMOTE_REFUSED"),
        (Script(refuse=[401]), grpc.StatusCode.FAILED_PRECONDITION, "REMOTE_REFUSED"),
        (Script(fails="out of memory"), grpc.StatusCode.INTERNAL, "REMOTE_FAILED"),
        (Script(cut_off=9), grpc.StatusCode.UNAVAILABLE, "REMOTE_UNAVAILABLE"),
        (Script(frames_short=5), grpc.StatusCode.DATA_LOSS, "REMOTE_WRONG_VIDEO"),
        (Script(garbage=True), grpc.StatusCode.DATA_LOSS, "REMOTE_WRONG_VIDEO"),
    ],
    ids=["busy", "refused", "no-key", "failed", "cut-off", "too-few-frames", "no-video"],
)
async def test_what_goes_wrong_has_a_name(
    tmp_path: Path, script: Script, code: grpc.StatusCode, reason: str
) -> None:
    """Each way to fail ends in its own status; no job, file, slot or half clip stays behind."""
    async with remote(tmp_path, script) as here:
        error = await here.refused(request("wrong"))
        await here.audit()
        assert await here.store.head("projects/tests/clips/wrong/clip.mp4") is None
    assert (error.code, error.reason) == (code, reason)
    assert len(script.deleted) == len(script.created)


async def test_a_body_that_breaks_off_is_fetched_again(tmp_path: Path) -> None:
    """Two broken transfers cost no second film."""
    script = Script(cut_off=2)
    async with remote(tmp_path, script) as here:
        assert (await here.clip(request("cut"))).video.size_bytes > 0
    assert len(script.created) == 1


async def test_a_job_that_never_ends_is_given_up(tmp_path: Path) -> None:
    """After the deadline the caller hears so and the remote job is deleted."""
    script = Script(polls=-1)
    async with remote(tmp_path, script, timeout_s=2.0) as here:
        error = await here.refused(request("endless"))
        await here.audit()
    assert (error.code, error.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "REMOTE_TIMEOUT")
    assert script.deleted == ["video_0"]


async def test_cancelling_deletes_the_remote_job(tmp_path: Path) -> None:
    """Nobody films on for a cancelled clip."""
    script = Script(polls=-1)
    async with remote(tmp_path, script) as here:
        asked = request("cancelled")
        call = asyncio.create_task(here.events(asked))
        await assert_eventually(lambda: len(script.created) == 1)
        assert await here.cancel(asked)
        await asyncio.gather(call, return_exceptions=True)
        await assert_eventually(lambda: script.deleted == ["video_0"])
        await here.audit()


RATES = st.sampled_from([Fraction(8), Fraction(16), Fraction(24), Fraction(30000, 1001)])


@given(st.integers(1, 300), RATES, RATES, st.integers(1, 8), st.integers(0, 3))
def test_enough_frames_are_asked_for(
    frames: int, rate: Fraction, native: Fraction, step: int, offset: int
) -> None:
    """The count lies on the grid, covers every frame of the clip, and no smaller one would do."""
    made = native_frames(frames, rate, native, step=step, offset=offset)
    shown = [source_frame(frame, rate, native) for frame in range(frames)]
    assert (made - offset) % step == 0
    assert shown == sorted(shown)
    assert shown[-1] < made
    assert made * rate >= frames * native
    assert made <= offset or (made - step) * rate < frames * native


def test_settings_that_contradict_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A remote server and own models at once, a URL that is none, a size that is none."""
    for name, value in (("REMOTE_URL", "gpu-box"), ("REMOTE_SIZES", "big"), ("DEVICES", "gpu")):
        with monkeypatch.context() as patch:
            patch.setenv(f"SOUNDSIGHT_VIDEOGEN_{name}", value)
            with pytest.raises(ValueError, match="takes"):
                VideoGenSettings()
    with pytest.raises(ValueError, match="exclude"):
        VideoGenSettings(remote_url="http://gpu-box/v1", models=("folder",))
