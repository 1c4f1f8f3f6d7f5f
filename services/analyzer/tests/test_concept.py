"""The concept: every second is heard, bad answers and bad endpoints are dealt with, and told."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from scripted_model import MODEL, Reply, ScriptedModel, says, scripted_model, sound_of
from serving import serving_analyzer

from soundsight.analyzer.v1.analyzer_pb2 import (
    FEATURE_CONCEPT,
    FEATURE_HARMONY,
    AnalyzeOptions,
    AnalyzeRequest,
)
from soundsight_analyzer.concept.models import window_limit_s
from soundsight_analyzer.concept.pipeline import WORDING, ConceptPipeline
from soundsight_analyzer.concept.prompting import read_prompts
from soundsight_analyzer.concept.sound import RATE_HZ, SpeechCopy, copy_for_speech
from soundsight_analyzer.concept.windows import Part, cut
from soundsight_analyzer.concept.writer import CONFIDENCE, ConceptWriter, FilmConcept
from soundsight_analyzer.settings import AnalyzerSettings
from soundsight_kit.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    SoundsightError,
    Unavailable,
    error_from_rpc,
)
from soundsight_kit.languagemodel.endpoint import Endpoint, EndpointSettings
from soundsight_kit.testing import assert_eventually

DURATION_S, SHORT_S = 47.0, 9.0
PARTS = (Part(0.0, 7.5, "intro"), Part(7.5, 40.0, "verse"), Part(40.0, DURATION_S, "outro"))


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with scripted_model() as running:
        yield running


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stereo tone at 44.1 kHz that gets louder second by second."""
    path = tmp_path_factory.mktemp("song") / "song.flac"
    times = np.arange(round(DURATION_S * 44_100)) / 44_100
    tone = (0.01 + 0.9 * np.floor(times) / DURATION_S) * np.sin(2 * np.pi * 220 * times)
    soundfile.write(path, np.stack([tone, tone], axis=1), 44_100)
    return path


@pytest.fixture(scope="module")
def short_song(song: Path) -> Path:
    """The first seconds of the song."""
    samples, rate_hz = soundfile.read(song, frames=round(SHORT_S * 44_100))
    path = song.with_name("short.flac")
    soundfile.write(path, samples, rate_hz)
    return path


@pytest.fixture(scope="module")
def sound(song: Path, tmp_path_factory: pytest.TempPathFactory) -> SpeechCopy:
    return copy_for_speech(song, tmp_path_factory.mktemp("pcm") / "pcm", threading.Event())


async def write(
    model: ScriptedModel,
    sound: SpeechCopy,
    *,
    window_s: float = 30.0,
    parallel: int = 3,
    parts: tuple[Part, ...] = PARTS,
    language: str = "",
    **changes: Any,
) -> FilmConcept:
    asked = EndpointSettings(url=model.url, model=MODEL, **{"attempts": 3, **changes})
    async with Endpoint(asked, WORDING) as endpoint:
        writer = ConceptWriter(endpoint, read_prompts(), window_s=window_s, parallel=parallel)
        return await writer.write(sound, parts, language, lambda *_: None)


async def failure(model: ScriptedModel, sound: SpeechCopy, **changes: Any) -> SoundsightError:
    with pytest.raises(SoundsightError) as caught:
        await write(model, sound, **changes)
    return caught.value


async def test_every_second_is_heard(model: ScriptedModel, sound: SpeechCopy) -> None:
    """Windows of at most the limit, 16 kHz and mono, add up to the song; each part has a text."""
    concept = await write(model, sound, window_s=15.0, language="de")
    assert concept.windows == len(model.heard) == 5
    assert sum(heard.seconds for heard in model.heard) == pytest.approx(DURATION_S, abs=1e-3)
    assert max(heard.seconds for heard in model.heard) <= 15.0
    assert {(heard.rate_hz, heard.channels) for heard in model.heard} == {(RATE_HZ, 1)}
    # The song grows louder: each window is what its prompt says it is.
    by_place = sorted(model.heard, key=lambda heard: heard.rms)
    assert "from 0:00 to 0:07 of 0:47, its intro" in by_place[0].prompt
    assert "0:40 to 0:47" in by_place[-1].prompt
    assert all("in de " in heard.prompt for heard in model.heard)
    assert len(concept.parts) == len(PARTS)
    assert concept.summary == "A day in a town."
    assert concept.confidence == CONFIDENCE
    assert not concept.warnings
    assert model.most_at_work <= 3
    assert all(request["model"] == MODEL for request in model.requests)


@hypothesis_settings(deadline=None)
@given(
    st.lists(st.floats(0.0, 400.0), min_size=1, max_size=20), st.sampled_from([5.0, 30.0, 240.0])
)
def test_windows_cover_all(lengths: list[float], limit_s: float) -> None:
    """Windows touch, stay within their part and the limit, and leave nothing out."""
    edges = [0.0, *np.cumsum(lengths).tolist()]
    parts = [Part(a, b) for a, b in pairwise(edges)]
    windows = cut(parts, limit_s)
    assert sum(w.end_s - w.start_s for w in windows) == pytest.approx(edges[-1], abs=0.03)
    for window in windows:
        part = parts[window.part]
        assert window.end_s - window.start_s <= limit_s + 1e-6
        assert part.start_s <= window.start_s < window.end_s <= part.end_s


def test_known_models_have_known_limits() -> None:
    """The setting counts most, then what is known of the model, then half a minute."""
    assert window_limit_s("Qwen/Qwen2-Audio-7B-Instruct", 0) == 30
    assert window_limit_s("Qwen/Qwen2.5-Omni-7B", 0) == 240
    assert window_limit_s("somebody/else", 0) == 30
    assert window_limit_s("Qwen/Qwen2.5-Omni-7B", 20) == 20


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (says("no json"), "JSON"),
        (says(""), "empty"),
        (says('{"text": ""}'), "text"),
        (says('{"text": "Rain. Rain. Rain. Rain."}'), "over and over"),
        (says('{"text": "Rain.", "mood": "sad"}'), "mood"),
    ],
)
async def test_bad_answers_are_sent_back(
    model: ScriptedModel, sound: SpeechCopy, bad: Reply, told: str
) -> None:
    """A bad answer is objected to with its reason, and the next good one is taken."""
    model.script = lambda _: bad if len(model.requests) == 1 else None
    concept = await write(model, sound, parts=PARTS[:1])
    assert concept.parts
    assert told in model.requests[1]["messages"][-1]["content"]
    assert sound_of(model.requests[1]) is not None, "the sound is sent along again"


async def test_answers_in_a_fence_are_read(model: ScriptedModel, sound: SpeechCopy) -> None:
    """JSON in a fence of Markdown counts."""
    model.script = lambda body: (
        says('```json\n{"text": "A pier."}\n```') if sound_of(body) is not None else None
    )
    await write(model, sound, parts=PARTS[:1])
    assert len(model.requests) == 2


async def test_hopeless_answers_fail_clearly(model: ScriptedModel, sound: SpeechCopy) -> None:
    """A model that never answers well fails the call after the allowed attempts."""
    model.script = lambda _: says("I cannot hear audio.")
    error = await failure(model, sound, parts=PARTS[:1], attempts=2)
    assert isinstance(error, Unavailable)
    assert error.reason == "CONCEPT_ANSWER_UNFIT"
    assert len(model.requests) == 2


async def test_repeated_texts_are_objected_to_once(model: ScriptedModel, sound: SpeechCopy) -> None:
    """The same text for another window is questioned; if the model insists, it is told of."""
    model.script = lambda body: says('{"text": "Rain."}') if sound_of(body) is not None else None
    concept = await write(model, sound, parallel=1)
    assert "repeated the text" in str(model.requests)
    assert concept.warnings
    assert concept.confidence < CONFIDENCE


async def test_a_part_left_out_is_asked_for(model: ScriptedModel, sound: SpeechCopy) -> None:
    """The merged film must have every part, each with a text of its own."""

    def script(body: dict[str, Any]) -> Reply | None:
        schema = body["response_format"]["json_schema"]["name"]
        objected = body["messages"][-2]["role"] == "assistant"
        if schema != "film" or objected:
            return None
        return says(json.dumps({"summary": "x", "parts": [{"number": 0, "text": "y"}]}))

    model.script = script
    concept = await write(model, sound)
    assert len(concept.parts) == 3
    assert "0, 1, 2" in model.requests[-1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    "trouble",
    [Reply(429, headers=(("Retry-After", "0"),)), Reply(503), Reply(0), Reply(200, b"<html>")],
    ids=["429", "503", "closed", "proxy"],
)
async def test_passing_trouble_is_survived(
    model: ScriptedModel, sound: SpeechCopy, trouble: Reply
) -> None:
    """A busy, broken or hung-up endpoint is asked again."""
    model.script = lambda _: trouble if len(model.requests) == 1 else None
    concept = await write(model, sound, parts=PARTS[:1])
    assert concept.parts


async def test_a_long_pause_is_told_not_waited_for(model: ScriptedModel, sound: SpeechCopy) -> None:
    """When the endpoint asks for an hour, the caller is told at once when to come back."""
    model.script = lambda _: Reply(429, headers=(("Retry-After", "3600"),))
    error = await failure(model, sound, parts=PARTS[:1])
    assert error.reason == "CONCEPT_ENDPOINT_BUSY"
    assert error.retry_after_s == 3600
    assert len(model.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 413])
async def test_a_refusal_is_not_repeated(
    model: ScriptedModel, sound: SpeechCopy, status: int
) -> None:
    """What the endpoint refuses outright is told after one try."""
    model.script = lambda _: Reply(status, b'{"error": {"message": "not like this"}}')
    error = await failure(model, sound, parts=PARTS[:1])
    assert isinstance(error, FailedPrecondition)
    assert error.reason == "CONCEPT_ENDPOINT_REFUSED"
    assert len(model.requests) == 1


async def test_cancelling_hangs_up(model: ScriptedModel, sound: SpeechCopy) -> None:
    """When the work is cancelled, requests under way end at once."""
    model.script = lambda _: Reply(after_s=3600.0)
    task = asyncio.create_task(write(model, sound))
    await assert_eventually(lambda: model.at_work == 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await assert_eventually(lambda: model.abandoned == 3)


async def test_one_failure_ends_the_rest(model: ScriptedModel, sound: SpeechCopy) -> None:
    """The first failure is the call's, and the other windows' requests are given up."""
    model.script = lambda _: Reply(401) if len(model.requests) == 3 else Reply(after_s=3600.0)
    error = await failure(model, sound)
    assert error.reason == "CONCEPT_ENDPOINT_REFUSED"
    await assert_eventually(lambda: model.at_work == 0)
    assert model.abandoned >= 2


async def test_a_slow_model_is_given_up(model: ScriptedModel, song: Path, tmp_path: Path) -> None:
    """A song's concept takes no longer than allowed, and no request is left behind."""
    model.script = lambda _: Reply(after_s=3600.0)
    settings = AnalyzerSettings(
        concept_url=model.url, concept_model=MODEL, concept_timeout_s=1.0, concept_parallel=2
    )
    with pytest.raises(DeadlineExceeded) as caught:
        await ConceptPipeline(settings).write(song, PARTS, "", tmp_path, lambda *_: None)
    assert caught.value.reason == "CONCEPT_TOO_SLOW"
    await assert_eventually(lambda: model.at_work == 0)


async def test_many_parts_are_merged_in_stretches(model: ScriptedModel, sound: SpeechCopy) -> None:
    """A song of very many parts is merged piece by piece into one concept."""
    edges = np.linspace(0.0, DURATION_S, 31)
    parts = tuple(Part(a, b) for a, b in pairwise(edges))
    concept = await write(model, sound, parts=parts)
    assert len(concept.parts) == 30
    assert [text.split()[1] for text in concept.parts] == [str(n) for n in range(30)]
    assert concept.summary


def test_prompts_can_be_replaced(tmp_path: Path) -> None:
    """A folder of the user's replaces the prompts and changes their version; a part of one is
    refused when the service starts."""
    for name in ("system", "listen", "join", "merge", "whole"):
        (tmp_path / f"{name}.md").write_text("Sing, $language.\n")
    mine = read_prompts(tmp_path)
    assert mine.fill("listen", language="en") == "Sing, en."
    assert mine.version != read_prompts().version
    (tmp_path / "join.md").unlink()
    with pytest.raises(ValidationError, match=r"join\.md"):
        AnalyzerSettings(concept_prompts=tmp_path)
    with pytest.raises(ValidationError, match="CONCEPT_MODEL"):
        AnalyzerSettings(concept_url="http://localhost:1/v1")
    with pytest.raises(ValidationError, match="http"):
        AnalyzerSettings(concept_url="localhost:1", concept_model="m")


async def test_both_pipelines_in_one_call(
    model: ScriptedModel, short_song: Path, tmp_path: Path
) -> None:
    """Through the gRPC call: a concept by sections beside another feature, with its evidence, its
    progress and the key that the endpoint wants; without the endpoint, a clear error early."""
    settings = AnalyzerSettings(
        concept_url=model.url,
        concept_model=MODEL,
        concept_api_key=SecretStr("sesame"),
    )
    async with serving_analyzer(tmp_path, settings) as serving:
        stored = await serving.stored(short_song)
        options = AnalyzeOptions(language="fr")
        analysis, progress = await serving.analyse(
            stored, FEATURE_CONCEPT, FEATURE_HARMONY, options=options
        )
        assert analysis.harmony.keys
        assert not analysis.sections, "sections were not asked for"
        concept = analysis.concept
        assert concept.summary == "A day in a town."
        assert [part.section_index for part in concept.sections] == list(
            range(len(concept.sections))
        )
        assert concept.sections[0].start_s == 0
        assert concept.sections[-1].end_s == pytest.approx(SHORT_S, abs=1e-3)
        assert MODEL in concept.evidence.source
        assert f"{len(model.heard)} windows" in concept.evidence.source
        assert sum(heard.seconds for heard in model.heard) == pytest.approx(SHORT_S, abs=1e-3)
        assert model.keys == {"Bearer sesame"}
        assert "in fr " in model.heard[0].prompt
        assert progress[-1].stage == "concept"
        assert progress[-1].done == progress[-1].total

        model.script = lambda _: Reply(after_s=3600.0)
        call: Any = serving.stub.Analyze(
            AnalyzeRequest(project="p", song=stored, features=[FEATURE_CONCEPT]), timeout=600
        )
        async for event in call:
            if event.progress.stage == "concept":
                break
        await assert_eventually(lambda: model.at_work > 0)
        call.cancel()
        await assert_eventually(lambda: model.at_work == 0)
        assert model.abandoned


async def test_a_missing_endpoint_is_told_before_the_work(song: Path, tmp_path: Path) -> None:
    """Nothing is decoded for a concept that nobody can write."""
    settings = AnalyzerSettings(concept_url="http://127.0.0.1:9/v1", concept_model=MODEL)
    async with serving_analyzer(tmp_path, settings) as serving:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await serving.analyse(await serving.stored(song), FEATURE_CONCEPT)
        error = error_from_rpc(caught.value)
        assert error.code is grpc.StatusCode.UNAVAILABLE
        assert error.reason == "CONCEPT_ENDPOINT_MISSING"
        assert "127.0.0.1:9" in error.message
