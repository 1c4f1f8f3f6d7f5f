"""Whole storyboards: what holds for any song and backend, and what a viewer would notice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundsight.analyzer.v1 import analysis_pb2 as apb
from soundsight.common.v1 import common_pb2
from soundsight.scenewriter.v1 import scenewriter_pb2 as pb
from soundsight.scenewriter.v1.storyboard_pb2 import Authorship, Scene, Storyboard
from soundsight.videogen.v1 import profile_pb2
from soundsight_kit.errors import InvalidArgument
from soundsight_kit.timeline import check_storyboard
from soundsight_scenewriter.requests import read_write_request
from soundsight_scenewriter.storyboards import MOST_BYTES, write_storyboard
from soundsight_scenewriter.writing.colour import Rgb, difference, is_muddy, to_lch
from soundsight_scenewriter.writing.wishes import content_words

Request = pb.WriteStoryboardRequest
STYLES = ("metal", "ambient", "pop", "orchestral")


def write(request: Request) -> Storyboard:
    """The storyboard of a request."""
    return write_storyboard(read_write_request(request), Authorship(writer="rules"), _ignore)


def _ignore(stage: str, done: int, total: int, message: str) -> None:
    pass


@pytest.fixture
def ask(frames_of: Any) -> Callable[..., Request]:
    """Makes requests for a handmade song."""

    def make(
        song: Any, *, seed: int = 7, words: bool = False, rate: tuple[int, int] = (24, 1)
    ) -> Request:
        analysis = song.analysis()
        request = Request(
            analysis=analysis,
            frames=frames_of(analysis, *rate),
            frame_rate=common_pb2.FrameRate(num=rate[0], den=rate[1]),
            seed=seed,
        )
        request.video.capabilities.append(profile_pb2.VIDEO_CAPABILITY_MUSIC_CUES)
        if words:
            request.video.prompt_dialect.camera_words = True
            request.video.capabilities.append(profile_pb2.VIDEO_CAPABILITY_NEGATIVE_PROMPT)
        else:
            request.video.settings[:] = ["city", "ocean"]
            request.video.prompt_dialect.style = profile_pb2.PROMPT_STYLE_FIELDS
        return request

    return make


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Any song, rate, backend and a little of a brief."""
    num, den = draw(st.sampled_from([(24, 1), (30_000, 1001), (1, 1), (60, 1), (25, 2)]))
    longest = draw(st.sampled_from([2.0, 60.0, 400.0]))
    duration = draw(st.floats(0.2, longest))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    request = Request(
        frames=max(1, int(duration * num / den + 0.5)),
        frame_rate=common_pb2.FrameRate(num=num, den=den),
        seed=draw(st.integers(0, 2**63 - 1)),
    )
    analysis = request.analysis
    beat = draw(st.floats(0.25, 1.2))
    if draw(st.booleans()):
        for index in range(int(duration / beat)):
            analysis.rhythm.beats.add(time_s=index * beat, position=index % 4 + 1)
    bounds = [0.0, *np.sort(chance.uniform(0, duration, draw(st.integers(0, 9)))), duration]
    if draw(st.booleans()):
        for start, end in itertools.pairwise(bounds):
            section = analysis.sections.add(start_s=start, end_s=end)
            section.label = "ABCDEF"[chance.integers(draw(st.integers(1, 6)))]
            section.function = int(chance.integers(0, 10))  # type: ignore[assignment]
            section.energy = float(chance.uniform())
            section.emotion.valence, section.emotion.arousal = chance.uniform(-1, 1, 2)
    if draw(st.booleans()):
        for kind in (apb.CURVE_KIND_ENERGY, apb.CURVE_KIND_BASS, apb.CURVE_KIND_ONSET):
            values = chance.uniform(0, 1, int(duration / 0.05) + 1)
            analysis.dynamics.curves.add(kind=kind, hop_s=0.05, values=values.tolist())
    analysis.emotion.overall.valence = draw(st.floats(-1, 1))
    analysis.emotion.overall.arousal = draw(st.floats(-1, 1))
    for word in draw(st.lists(st.sampled_from(["metal", "pop", "jazz", "piano", "?"]), max_size=3)):
        analysis.tags.add(group="genre", label=word, score=0.5)
    request.video.max_frames = draw(st.sampled_from([0, 49, 81, 400]))
    request.video.min_frames = draw(st.sampled_from([0, 5, 33]))
    request.video.prompt_dialect.style = draw(st.integers(0, 3))  # type: ignore[assignment]
    request.video.prompt_dialect.max_characters = draw(st.sampled_from([0, 20, 200, 800]))
    request.video.prompt_dialect.camera_words = draw(st.booleans())
    request.video.settings[:] = draw(
        st.sampled_from([[], ["city"], ["city", "ocean"], ["night_city", "mountain"], ["swamp"]])
    )
    request.brief.style = draw(st.sampled_from(["", "rainy noir, anamorphic", "pastel, red"]))
    request.brief.setting = draw(st.sampled_from(["", "a harbour at night", "an {old} mill"]))
    request.brief.never_show[:] = draw(st.sampled_from([[], ["rain"], ["waves", "streets"]]))
    return request


@given(request=requests())
@settings(max_examples=120, deadline=None)
def test_every_storyboard_is_sound(request: Request) -> None:
    """The contract's invariant, unique descriptions, known places, bounded prompts, colours."""
    storyboard = write(request)
    check_storyboard(storyboard)
    treatment = storyboard.treatment
    places = {place.id: place for place in treatment.places}
    assert 1 <= len(places) <= 4
    assert treatment.title and treatment.logline and treatment.look
    assert len(treatment.arc) == max(1, len(request.analysis.sections))
    assert all(point.text for point in treatment.arc)
    assert_palette(treatment.palette)
    descriptions = [scene.description for scene in storyboard.scenes]
    assert len(set(descriptions)) == len(descriptions)
    used = set()
    most = request.video.prompt_dialect.max_characters
    for scene in storyboard.scenes:
        place = places[scene.place_id]
        used.add(place.id)
        assert scene.shot.place_seed == place.place_seed
        assert scene.shot.setting == place.setting
        if request.video.settings:
            assert scene.shot.setting in request.video.settings
        assert 0.0 <= scene.shot.density <= 1.0
        assert 0.0 <= scene.shot.motion <= 1.0
        assert 0 <= scene.seed < 2**63
        assert scene.shot.prompt
        assert not most or len(scene.shot.prompt) <= most
        assert "{" not in scene.description.replace("{old}", "")
        assert_palette(scene.shot.palette)
        _assert_cues(scene, request)
    assert used == set(places)


def _assert_cues(scene: Scene, request: Request) -> None:
    clip = scene.handle_in_frames + scene.frames + scene.handle_out_frames
    has_curves = bool(request.analysis.dynamics.curves)
    assert len(scene.cues.energy) == (clip if has_curves else 0)
    assert len(scene.cues.onset) == (clip if has_curves else 0)
    assert set(scene.cues.downbeat_frames) <= set(scene.cues.beat_frames)


def assert_palette(colours: Any) -> None:
    """Three to five named colours, darkest first, visibly different, none muddy."""
    palette = [Rgb(colour.red, colour.green, colour.blue, colour.name) for colour in colours]
    assert 3 <= len(palette) <= 5
    shades = [to_lch(colour) for colour in palette]
    lightness = [shade.lightness for shade in shades]
    assert lightness == sorted(lightness)
    assert lightness[0] < 0.4 and lightness[-1] > 0.8
    assert all(difference(one, other) > 0.03 for one, other in itertools.pairwise(shades))
    assert not any(is_muddy(shade) for shade in shades)
    assert len({colour.name for colour in palette}) == len(palette)
    assert all(colour.name for colour in palette)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("words", [False, True])
def test_returning_sections_return_to_their_place(
    style: str, words: bool, styles: Any, ask: Any
) -> None:
    """Equal labels share a place, each return looks different, the chorus has its own place."""
    request = ask(styles[style], words=words)
    storyboard = write(request)
    place_of: dict[str, str] = {}
    for one, other in itertools.pairwise([None, *storyboard.scenes]):
        assert other is not None
        label = request.analysis.sections[other.section_index].label
        if one is None or one.section_index != other.section_index:
            assert place_of.setdefault(label, other.place_id) == other.place_id
    assert 2 <= len(set(place_of.values())) <= 4

    looks: dict[str, list[Any]] = {}
    for index, section in enumerate(request.analysis.sections):
        scenes = [scene for scene in storyboard.scenes if scene.section_index == index]
        opening = scenes[0].shot
        looks.setdefault(section.label, []).append((opening.time_of_day, opening.weather))
    for seen in looks.values():
        assert all(one != other for one, other in itertools.pairwise(seen))
    choruses = {
        s.label for s in request.analysis.sections if s.function == apb.SECTION_FUNCTION_CHORUS
    }
    for label in choruses:
        shown = {
            scene.place_id
            for scene in storyboard.scenes
            if request.analysis.sections[scene.section_index].label != label
        }
        assert place_of[label] not in shown


@pytest.mark.parametrize("style", STYLES)
def test_long_sections_look_elsewhere(style: str, styles: Any, ask: Any) -> None:
    """A long section shows another world now and then, but begins, ends and stays at home."""
    storyboard = write(ask(styles[style]))
    scenes = storyboard.scenes
    settings = {place.id: place.setting for place in storyboard.treatment.places}
    away = 0
    for _, group in itertools.groupby(scenes, key=lambda scene: scene.section_index):
        shots = [scene for scene in group if not scene.continues_previous]
        home = shots[0].place_id
        elsewhere = [shot for shot in shots if shot.place_id != home]
        assert shots[-1].place_id == home
        assert 3 * len(elsewhere) <= len(shots)
        assert all(settings[shot.place_id] != settings[home] for shot in elsewhere)
        away += len(elsewhere)
    assert away > 0


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("words", [False, True])
def test_neighbouring_shots_differ_in_camera(
    style: str, words: bool, styles: Any, ask: Any
) -> None:
    """Across every cut both the camera's move and its size change."""
    scenes = write(ask(styles[style], words=words)).scenes
    for one, other in itertools.pairwise(scenes):
        if not other.continues_previous:
            assert one.shot.camera.move != other.shot.camera.move
            assert one.shot.camera.size != other.shot.camera.size


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("words", [False, True])
def test_scenes_do_not_repeat_each_other(style: str, words: bool, styles: Any, ask: Any) -> None:
    """No two scenes share more than half of their content words, further takes included."""
    for seed in range(3):
        request = ask(styles[style], seed=seed, words=words)
        if words:
            request.video.max_frames = 81
        scenes = write(request).scenes
        assert not words or any(scene.continues_previous for scene in scenes)
        for one, other in itertools.combinations(scenes, 2):
            mine, others = content_words(one.description), content_words(other.description)
            assert 2 * len(mine & others) <= min(len(mine), len(others)), (
                one.description,
                other.description,
            )


def test_different_songs_give_different_films(styles: Any, ask: Any) -> None:
    """With one seed, songs differ in logline, palette, look and scenes; metal is not ambient."""
    films = {style: write(ask(styles[style], seed=1)) for style in STYLES}
    for one, other in itertools.combinations(films.values(), 2):
        assert one.treatment.logline != other.treatment.logline
        assert one.treatment.look != other.treatment.look
        assert list(one.treatment.palette) != list(other.treatment.palette)
        shared = {scene.description for scene in one.scenes} & {
            scene.description for scene in other.scenes
        }
        assert len(shared) <= 0.05 * min(len(one.scenes), len(other.scenes))
    motion = {
        style: np.mean([scene.shot.motion for scene in film.scenes])
        for style, film in films.items()
    }
    assert motion["ambient"] < 0.6 * motion["metal"]


@pytest.mark.parametrize("style", STYLES)
def test_colours_follow_the_mood(style: str, styles: Any, ask: Any) -> None:
    """Glad songs have lighter palettes than grim ones, on average over seeds."""

    def lightness(valence: float) -> float:
        song = replace(styles[style], valence=valence)
        seeds = range(12)
        palettes = [write(ask(song, seed=seed)).treatment.palette for seed in seeds]
        return float(
            np.mean(
                [
                    to_lch(Rgb(c.red, c.green, c.blue)).lightness
                    for palette in palettes
                    for c in palette
                ]
            )
        )

    assert lightness(0.8) > lightness(-0.8) + 0.02


def test_structureless_songs_change_places(styles: Any, ask: Any) -> None:
    """Without sections, or with one label only, a long song still plays in several places."""
    request = ask(styles["pop"])
    del request.analysis.sections[:]
    assert len(write(request).treatment.places) == 4
    request = ask(styles["pop"])
    for section in request.analysis.sections:
        section.label = "A"
    storyboard = write(request)
    assert len({scene.place_id for scene in storyboard.scenes}) == 4
    assert len(storyboard.treatment.arc) == len(request.analysis.sections)


def test_one_frame_is_a_film(ask: Any, styles: Any) -> None:
    """The shortest song has one scene, one place and a whole treatment."""
    request = Request(frames=1, frame_rate=common_pb2.FrameRate(num=24, den=1), seed=1)
    storyboard = write(request)
    check_storyboard(storyboard)
    assert len(storyboard.scenes) == len(storyboard.treatment.places) == 1


def test_cues_that_do_not_fit_are_dropped_or_refused(handmade: Any, ask: Any) -> None:
    """Two hours at 240 fps: cues that nobody uses are left out with a note, needed ones refused."""
    parts = [("AB"[i % 2], "verse", 60, 0.5) for i in range(56)]
    song = handmade(bpm=120.0, parts=parts, hop_s=0.2)
    request = ask(song, rate=(240, 1))
    with pytest.raises(InvalidArgument, match="lower frame rate"):
        write(request)
    del request.video.capabilities[:]
    storyboard = write(request)
    assert storyboard.ByteSize() <= MOST_BYTES
    assert any("cues" in note for note in storyboard.notes)


def test_two_hours_fit_into_a_message(handmade: Any, ask: Any) -> None:
    """A two-hour song at 24 fps, cut as fast as it goes, is one message with all its cues."""
    parts = [("ABCD"[i % 4], "chorus", 60, 0.95) for i in range(60)]
    request = ask(handmade(bpm=128.0, parts=parts, arousal=0.9, hop_s=0.2), words=True)
    request.brief.pace = pb.PACE_FAST
    storyboard = write(request)
    check_storyboard(storyboard)
    assert storyboard.ByteSize() <= MOST_BYTES
    assert len({scene.description for scene in storyboard.scenes}) == len(storyboard.scenes)
    assert all(scene.cues.energy for scene in storyboard.scenes)


def test_short_sections_do_not_make_a_restless_film(handmade: Any, ask: Any) -> None:
    """Sections of a few seconds: the sky changes by acts, not all shots are views of a place."""
    parts = [("ABCADBCE"[i % 8], "unspecified", 4, (0.4, 0.8, 0.6)[i % 3]) for i in range(30)]
    song = handmade(bpm=160.0, parts=parts, arousal=0.5)
    storyboard = write(ask(song))
    scenes = storyboard.scenes
    assert {shot.cut_reason for shot in scenes if shot.section_index} != {0}
    skies = [(scene.shot.time_of_day, scene.shot.weather) for scene in scenes]
    changes = [
        scene.start_frame / 24
        for before, now, scene in zip(skies, skies[1:], list(scenes)[1:], strict=False)
        if before != now
    ]
    assert changes
    assert all(later - sooner >= 12.0 for sooner, later in itertools.pairwise(changes))
    names = {place.name.lower() for place in storyboard.treatment.places}
    views = [scene for scene in scenes if scene.shot.subject.lower() in names]
    assert len(views) < 0.2 * len(scenes)
    arc = [point.text for point in storyboard.treatment.arc]
    assert len(set(arc)) == len(arc)
