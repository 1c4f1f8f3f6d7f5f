"""Whatever is asked of the scene writer, it answers or says what is wrong."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from fuzz.sending import TIMEOUT_S, Target, fuzz, request_type, rpcs, short
from fuzz.strategies import requests
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight.common.v1.common_pb2 import Color, FrameRate, Resolution
from soundsight.scenewriter.v1.scenewriter_pb2 import (
    Brief,
    RewriteSceneRequest,
    SectionWish,
    WriteStoryboardRequest,
)
from soundsight.scenewriter.v1.storyboard_pb2 import Authorship, CastMember
from soundsight.videogen.v1 import profile_pb2
from soundsight_kit.testing import running_server
from soundsight_scenewriter.requests import read_write_request
from soundsight_scenewriter.service import SceneWriterServicer, scenewriter_info
from soundsight_scenewriter.settings import SceneWriterSettings
from soundsight_scenewriter.storyboards import write_storyboard

SONG_S, BEAT_S, HOP_S = 6.0, 0.5, 0.1
VIDEO = profile_pb2.VideoGenProfile(
    frame_step=4,
    frame_offset=1,
    min_frames=1,
    max_frames=81,
    settings=["city", "ocean"],
    capabilities=[
        profile_pb2.VIDEO_CAPABILITY_MUSIC_CUES,
        profile_pb2.VIDEO_CAPABILITY_NEGATIVE_PROMPT,
    ],
    prompt_dialect=profile_pb2.PromptDialect(
        style=profile_pb2.PROMPT_STYLE_SENTENCES, max_characters=500, camera_words=True
    ),
)

pytestmark = pytest.mark.timeout(TIMEOUT_S)


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The scene writer, served."""
    settings = SceneWriterSettings(slots=4, queue_limit=64)
    info = scenewriter_info(settings)
    servicer = SceneWriterServicer(settings, info)
    async with running_server(servicer.binding, info=info, drain=servicer.drain) as target:
        yield target


@pytest.fixture(scope="module")
def writer() -> Iterator[Target]:
    """A scene writer that all tests here call."""
    with Target(served) as target:
        yield target


def analysis() -> a.SongAnalysis:
    """A short song with something of everything in it."""
    song = a.SongAnalysis()
    song.audio.duration_s, song.audio.sample_rate_hz = SONG_S, 8000
    song.audio.samples, song.audio.channels = round(SONG_S * 8000), 1
    song.metadata.title = "Titel"
    song.rhythm.tempo_bpm = 60 / BEAT_S
    song.rhythm.beats_evidence.confidence = 0.9
    for beat in range(round(SONG_S / BEAT_S)):
        song.rhythm.beats.add(time_s=beat * BEAT_S, position=beat % 4 + 1, confidence=0.8)
    song.harmony.keys.add(tonic="A", mode=a.MODE_MINOR)
    for start_s, end_s, label, energy in ((0.0, 3.0, "A", 0.3), (3.0, SONG_S, "B", 0.9)):
        section = song.sections.add(
            start_s=start_s, end_s=end_s, label=label, occurrence=1, energy=energy,
            function=a.SECTION_FUNCTION_CHORUS,
        )  # fmt: skip
        section.emotion.valence, section.emotion.arousal = 0.2, energy
    song.emotion.overall.valence, song.emotion.overall.arousal = -0.2, 0.5
    song.tags.add(group="genre", label="rock", score=0.7).evidence.source = "musicnn"
    for kind in (a.CURVE_KIND_ENERGY, a.CURVE_KIND_BASS, a.CURVE_KIND_ONSET):
        values = [0.5 + 0.4 * math.sin(i / 5) for i in range(round(SONG_S / HOP_S))]
        song.dynamics.curves.add(kind=kind, hop_s=HOP_S, values=values)
    song.dynamics.integrated_lufs = -14.0
    song.dynamics.events.add(kind=a.MUSIC_EVENT_KIND_DROP, time_s=3.0, duration_s=1.0)
    return song


def order() -> WriteStoryboardRequest:
    """A request for a storyboard with every wish there is."""
    return WriteStoryboardRequest(
        analysis=analysis(),
        frames=round(SONG_S * 24),
        frame_rate=FrameRate(num=24, den=1),
        resolution=Resolution(width=1280, height=720),
        video=VIDEO,
        brief=Brief(
            style="hand-painted, snow",
            setting="a city by the ocean",
            story="She walks. She finds the sea.",
            palette=[Color(red=10, green=20, blue=60), Color(red=250, green=200, blue=90)],
            cast=[CastMember(id="cast-1", name="Ada", look="old", wardrobe="a red coat")],
            must_have=["a lighthouse"],
            never_show=["blood"],
            language="en",
            section_wishes=[SectionWish(section_index=1, text="rain")],
            cut_anticipation_frames=1,
        ),
        seed=5,
    )


def plain_order() -> WriteStoryboardRequest:
    """A request for a storyboard with no wishes."""
    wanted = order()
    wanted.ClearField("brief")
    return wanted


def rewriting() -> RewriteSceneRequest:
    """A request to rewrite a scene of a storyboard that was written here."""

    storyboard = write_storyboard(read_write_request(order()), Authorship(), lambda *_: None)
    return RewriteSceneRequest(
        storyboard=storyboard,
        scene_id=storyboard.scenes[1].id,
        note="make it rain, closer on her face",
        analysis=analysis(),
        video=VIDEO,
        seed=6,
    )


@pytest.mark.parametrize("method", rpcs("scenewriter"), ids=short)
def test_nothing_breaks_it(writer: Target, method: MethodDescriptor) -> None:
    """No request makes it fail or hang; what it takes it writes to the end."""
    good: list[Message] = [request_type(method)()]
    if method.name == "WriteStoryboard":
        good = [order(), plain_order()]
    elif method.name == "RewriteScene":
        good = [rewriting()]
    words = ("city", "ocean", "s000", "s001", "place-1", "cast-1", "en", "snow", "night", "closer")
    fuzz(writer, method, requests(*good, words=words), to_the_end=True)
