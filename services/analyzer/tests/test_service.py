"""The analyzer as its callers see it: a real server, real songs, the call itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
import soundfile
from serving import Serving

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight.analyzer.v1.analyzer_pb2 import (
    FEATURE_CONCEPT,
    FEATURE_DYNAMICS,
    FEATURE_EMOTION,
    FEATURE_HARMONY,
    FEATURE_RHYTHM,
    FEATURE_STRUCTURE,
    FEATURE_TAGS,
    FEATURE_VOICE,
    AnalyzeOptions,
    AnalyzeRequest,
)
from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.common.v1.implementation_pb2 import GetInfoRequest
from soundsight.common.v1.implementation_pb2_grpc import ImplementationServiceStub
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import SoundsightError, error_from_rpc

if TYPE_CHECKING:
    from services.analyzer.tests.conftest import KnownSong

pytestmark = pytest.mark.asyncio(loop_scope="module")
PARTS = ("rhythm", "harmony", "dynamics", "emotion", "voice")


async def analyse(
    running: Serving, song: ArtifactRef, *features: int, options: AnalyzeOptions | None = None
) -> tuple[pb.SongAnalysis, list[str]]:
    """The analysis, and the stages that were reported before it."""
    analysis, progress = await running.analyse(song, *features, options=options)
    return analysis, [moved.stage for moved in progress]


async def refusal(running: Serving, song: ArtifactRef, project: str = "p") -> SoundsightError:
    """What the call is refused with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.analyse(song, project=project)
    return error_from_rpc(caught.value)


def check_sound(analysis: pb.SongAnalysis) -> None:
    """What holds for every analysis: times inside the song, numbers finite and in range."""
    duration_s = analysis.audio.duration_s
    assert duration_s == analysis.audio.samples / analysis.audio.sample_rate_hz
    beats = [beat.time_s for beat in analysis.rhythm.beats]
    assert beats == sorted(set(beats))
    assert all(0 <= beat < duration_s for beat in beats)
    if analysis.sections:
        assert analysis.sections[0].start_s == 0
        assert analysis.sections[-1].end_s == pytest.approx(duration_s, abs=1e-3)
    for section, following in zip(analysis.sections, analysis.sections[1:], strict=False):
        assert section.end_s == following.start_s
    for curve in analysis.dynamics.curves:
        values = np.asarray(curve.values)
        assert np.isfinite(values).all()
        assert len(values) <= 50_000
        in_lufs = curve.kind >= pb.CURVE_KIND_MOMENTARY_LUFS
        low, high = (-70, 20) if in_lufs else (0, 1)
        assert ((values >= low) & (values <= high)).all()
        assert abs(len(values) * curve.hop_s - duration_s) <= 2 * curve.hop_s
    ends = [0.0]
    for span in analysis.voice.spans:
        assert ends[-1] <= span.start_s < span.end_s <= duration_s + 1e-3
        assert 0 < span.probability <= 1
        ends.append(span.end_s)
    for led in analysis.instruments:
        assert 0 <= led.start_s < led.end_s <= duration_s + 1e-3
        assert led.instrument and led.evidence.source
    emotion = np.asarray([*analysis.emotion.valence, *analysis.emotion.arousal])
    assert (np.abs(emotion) <= 1).all()
    for tags in (analysis.tags, *(section.tags for section in analysis.sections)):
        assert all(0 <= tag.score <= 1 and tag.group and tag.evidence.source for tag in tags)
        assert [tag.score for tag in tags] == sorted((tag.score for tag in tags), reverse=True)
    assert "nan" not in str(analysis).lower()
    assert analysis.ByteSize() < 4 << 20


async def test_the_example_song(
    running: Serving, example_file: Path, example_song: KnownSong
) -> None:
    """The whole analysis of the example song, with all its parts, evidence and origin."""
    analysis, stages = await analyse(running, await running.stored(example_file))
    check_sound(analysis)
    truth = example_song.truth
    assert analysis.audio.samples == truth.samples
    assert analysis.audio.channels == 2
    assert analysis.metadata.title == "First Light"
    assert analysis.rhythm.tempo_bpm == pytest.approx(truth.tempo_bpm, rel=0.005)
    found = np.asarray([beat.time_s for beat in analysis.rhythm.beats])
    distances = np.abs(found[:, None] - np.asarray(truth.beats_s)).min(axis=0)
    assert np.mean(distances <= 0.02) >= 0.97
    assert [m.beats_per_bar for m in analysis.rhythm.metres] == [4]
    key = analysis.harmony.keys[0]
    assert (key.tonic, key.mode) == ("D", pb.MODE_MAJOR)
    assert -25 < analysis.dynamics.integrated_lufs < -6
    assert -10 < analysis.dynamics.true_peak_dbtp < 1
    kinds = [curve.kind for curve in analysis.dynamics.curves]
    assert sorted(kinds) == sorted(set(pb.CurveKind.values()) - {pb.CURVE_KIND_UNSPECIFIED})
    labels = [section.label for section in analysis.sections]
    assert len(set(labels)) < len(labels)
    chorus = [s for s in analysis.sections if s.function == pb.SECTION_FUNCTION_CHORUS]
    assert len({s.label for s in chorus}) == 1
    assert [s.occurrence for s in chorus] == [1, 2]
    assert all(s.tags and s.HasField("emotion") for s in analysis.sections)
    assert len(analysis.tags) <= 12
    assert analysis.voice.instrumental
    assert not analysis.voice.spans
    assert analysis.voice.instrumental_evidence.confidence > 0.5
    assert {span.instrument for span in analysis.instruments} & {"synth", "drums", "guitar"}
    assert analysis.origin.fingerprint
    assert not analysis.warnings
    # Stages come in the contract's order; progress may be coalesced, so some may be missing.
    order = ["fetch", "decode", "rhythm", "harmony", "dynamics", "tags", "structure"]
    order += ["emotion", "voice"]
    positions = [order.index(stage) for stage in stages]
    assert positions == sorted(positions)
    assert {"decode", "rhythm", "tags"} <= set(stages)


async def test_the_same_song_twice(running: Serving, example_file: Path) -> None:
    """The same song gives the same analysis, to the last digit."""
    song = await running.stored(example_file)
    features = (FEATURE_RHYTHM, FEATURE_STRUCTURE, FEATURE_TAGS)
    first, _ = await analyse(running, song, *features)
    second, _ = await analyse(running, song, *features)
    assert first == second


@pytest.mark.parametrize(
    ("feature", "part", "forbidden"),
    [
        (FEATURE_HARMONY, "harmony", {"dynamics", "tags", "structure", "emotion", "voice"}),
        (FEATURE_DYNAMICS, "dynamics", {"harmony", "tags", "structure", "emotion", "voice"}),
        (FEATURE_RHYTHM, "rhythm", {"harmony", "dynamics", "tags", "structure", "emotion"}),
        (FEATURE_EMOTION, "emotion", {"dynamics", "structure", "voice"}),
        (FEATURE_VOICE, "voice", {"rhythm", "harmony", "dynamics", "structure", "emotion"}),
    ],
)
async def test_what_is_not_asked_for_is_not_done(
    running: Serving, example_file: Path, feature: int, part: str, forbidden: set[str]
) -> None:
    """One feature alone comes alone, and stages it does not need are not run."""
    analysis, stages = await analyse(running, await running.stored(example_file), feature)
    assert [name for name in PARTS if analysis.HasField(name)] == [part]  # type: ignore[arg-type]
    assert not analysis.sections
    assert not analysis.tags
    assert not forbidden & set(stages)
    check_sound(analysis)


async def test_sections_alone_have_no_tags(running: Serving, example_file: Path) -> None:
    """Structure uses the rhythm without returning it, and its sections are not tagged."""
    analysis, stages = await analyse(running, await running.stored(example_file), FEATURE_STRUCTURE)
    assert len(analysis.sections) > 3
    assert not analysis.HasField("rhythm")
    assert not any(s.tags or s.HasField("emotion") for s in analysis.sections)
    assert all(0 <= s.energy <= 1 for s in analysis.sections)
    assert "tags" not in stages


async def test_options_are_obeyed(running: Serving, example_file: Path) -> None:
    """Fewer tags and a slower tempo come when they are asked for."""
    options = AnalyzeOptions(max_tags=3, max_tempo_bpm=90)
    analysis, _ = await analyse(
        running,
        await running.stored(example_file),
        FEATURE_RHYTHM,
        FEATURE_TAGS,
        options=options,
    )
    assert len(analysis.tags) == 3
    assert analysis.rhythm.tempo_bpm == pytest.approx(63.0, rel=0.01)


def write(path: Path, samples: object, rate_hz: int) -> Path:
    soundfile.write(path, samples, rate_hz)
    return path


def silence(folder: Path) -> Path:
    return write(folder / "silence.wav", np.zeros((5 * 44_100, 2)), 44_100)


def one_sample(folder: Path) -> Path:
    return write(folder / "one.wav", np.array([[0.5]]), 44_100)


def one_second(folder: Path) -> Path:
    times = np.arange(44_100) / 44_100
    return write(folder / "second.flac", 0.5 * np.sin(2 * np.pi * 220 * times), 44_100)


def telephone(folder: Path) -> Path:
    noise = 0.2 * np.random.default_rng(0).standard_normal(8 * 8_000)
    return write(folder / "telephone.wav", noise, 8_000)


def clipped(folder: Path) -> Path:
    square = np.sign(np.sin(2 * np.pi * 50 * np.arange(5 * 44_100) / 44_100))
    return write(folder / "clipped.wav", np.stack([square, -square], axis=1), 44_100)


@pytest.mark.parametrize("make", [silence, one_sample, one_second, telephone, clipped])
async def test_odd_sounds_are_heard_honestly(
    running: Serving, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    """Silence, moments, telephone sound and clipped or cancelling waves give sound analyses."""
    analysis, _ = await analyse(running, await running.stored(make(tmp_path)))
    check_sound(analysis)
    assert not analysis.rhythm.beats or analysis.rhythm.beats_evidence.confidence < 0.5
    if not analysis.rhythm.beats:
        assert analysis.rhythm.tempo_bpm == 0
        assert analysis.warnings


async def test_a_truncated_song_is_heard_as_far_as_it_goes(
    running: Serving, example_file: Path, tmp_path: Path
) -> None:
    """Half a file is half a song, and its length is what is really there."""
    half = tmp_path / "half.flac"
    data = example_file.read_bytes()
    half.write_bytes(data[: len(data) // 2])
    analysis, _ = await analyse(running, await running.stored(half), FEATURE_RHYTHM)
    assert 10 < analysis.audio.duration_s < 40
    check_sound(analysis)


@pytest.mark.parametrize(
    "content", [b"", b"these are words, not music\n" * 50, b"fLaC" + b"\0" * 99]
)
async def test_what_is_no_song_is_refused(running: Serving, tmp_path: Path, content: bytes) -> None:
    """Empty files, texts and empty shells are refused as such, and the service goes on."""
    path = tmp_path / "song"
    path.write_bytes(content)
    error = await refusal(running, await running.stored(path))
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason.startswith("SONG_")


async def test_too_long_is_refused(running: Serving, tmp_path: Path) -> None:
    """A song beyond the stated limit is refused, not cut."""
    path = write(tmp_path / "long.flac", np.zeros(121 * 8_000), 8_000)
    error = await refusal(running, await running.stored(path))
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason.startswith("SONG_")


async def test_foreign_and_missing_songs(running: Serving, example_file: Path) -> None:
    """Another project's song does not exist; nor does one that is not there; a changed one is
    lost."""
    song = await running.stored(example_file)
    assert (await refusal(running, song, project="q")).code is grpc.StatusCode.NOT_FOUND
    missing = ArtifactRef(uri=song.uri + "0", sha256=song.sha256)
    assert (await refusal(running, missing)).code is grpc.StatusCode.NOT_FOUND
    outside = ArtifactRef(uri="file:///etc/passwd")
    assert (await refusal(running, outside)).code is grpc.StatusCode.INVALID_ARGUMENT
    changed = ArtifactRef(uri=song.uri, sha256="0" * 64)
    assert (await refusal(running, changed)).code is grpc.StatusCode.DATA_LOSS


async def test_wrong_requests_are_refused(running: Serving, example_file: Path) -> None:
    """A wrong option is refused by its field's path, a missing feature as not offered."""
    song = await running.stored(example_file)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analyse(running, song, options=AnalyzeOptions(max_tags=1000))
    error = error_from_rpc(caught.value)
    assert error.field_violations[0][0] == "options.max_tags"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analyse(running, song, FEATURE_CONCEPT)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_two_callers_share_the_work(running: Serving, example_file: Path) -> None:
    """Two calls for the same analysis at once get the same answer from one piece of work."""
    song = await running.stored(example_file)
    calls = [analyse(running, song, FEATURE_RHYTHM, FEATURE_HARMONY) for _ in range(2)]
    (first, _), (second, _) = await asyncio.gather(*calls)
    assert first == second


async def test_a_call_that_ends_early_leaves_room(running: Serving, example_file: Path) -> None:
    """When a caller goes away in mid-song, the next song is listened to."""
    song = await running.stored(example_file)
    call: Any = running.stub.Analyze(AnalyzeRequest(project="p", song=song), timeout=600)
    async for event in call:
        if event.progress.stage == "rhythm":
            break
    call.cancel()
    analysis, _ = await analyse(running, song, FEATURE_HARMONY)
    assert analysis.harmony.keys


async def test_get_info_names_models_and_licences(running: Serving) -> None:
    """GetInfo says what can be heard, with what, and under which licences."""
    async with open_channel(running.target) as channel:
        info = await ImplementationServiceStub(channel).GetInfo(GetInfoRequest(), timeout=60)
    models = {model.id: model for model in info.models}
    assert models["essentia"].licence.startswith("AGPL-3.0")
    assert models["musicnn-msd"].licence == models["musicnn-mtt"].licence == "ISC"
    assert models["musicnn-msd"].revision.startswith("sha256:")
    assert "feature:structure" in info.capabilities
    assert info.limits.max_duration_s == 120
    assert info.fingerprint
