"""Rewriting one scene: notes change what they name, and nothing else moves."""

from __future__ import annotations

from typing import Any

import pytest

from soundsight.common.v1 import common_pb2
from soundsight.scenewriter.v1 import scenewriter_pb2 as pb
from soundsight.scenewriter.v1.storyboard_pb2 import Authorship, Scene, Storyboard
from soundsight.videogen.v1 import profile_pb2, shot_pb2
from soundsight_scenewriter.backend import Backend, read_profile
from soundsight_scenewriter.requests import read_write_request
from soundsight_scenewriter.storyboards import write_storyboard
from soundsight_scenewriter.writing.colour import Rgb, to_lch
from soundsight_scenewriter.writing.rewriting import rewrite_scene

NUMBER = 9


def written(styles: Any, frames_of: Any, *, words: bool) -> tuple[Storyboard, Backend]:
    """The orchestral song's storyboard and its backend."""
    analysis = styles["orchestral"].analysis()
    request = pb.WriteStoryboardRequest(
        analysis=analysis,
        frames=frames_of(analysis, 24, 1),
        frame_rate=common_pb2.FrameRate(num=24, den=1),
        seed=2,
    )
    request.video.settings[:] = ["city", "ocean"]
    if not words:
        request.video.prompt_dialect.style = profile_pb2.PROMPT_STYLE_FIELDS
    made = write_storyboard(read_write_request(request), Authorship(), lambda *_: None)
    return made, read_profile(request.video)


@pytest.fixture
def fielded(styles: Any, frames_of: Any) -> tuple[Storyboard, Backend]:
    """A storyboard for a backend that reads fields."""
    return written(styles, frames_of, words=False)


def rewritten(
    story: tuple[Storyboard, Backend], note: str, seed: int = 1
) -> tuple[Scene, Scene, list[str]]:
    """The scene before, after, and the notes."""
    storyboard, backend = story
    before = storyboard.scenes[NUMBER]
    after, notes = rewrite_scene(storyboard, before, note, backend, seed)
    return before, after, notes


def lightness(scene: Scene) -> float:
    """Mean lightness of a shot's palette."""
    colours = [to_lch(Rgb(c.red, c.green, c.blue)).lightness for c in scene.shot.palette]
    return sum(colours) / len(colours)


@pytest.mark.parametrize(
    ("note", "path", "value"),
    [
        ("rain", "weather", shot_pb2.WEATHER_RAIN),
        ("let it snow", "weather", shot_pb2.WEATHER_SNOW),
        ("thick fog", "weather", shot_pb2.WEATHER_FOG),
        ("at night", "time_of_day", shot_pb2.TIME_OF_DAY_NIGHT),
        ("at dawn", "time_of_day", shot_pb2.TIME_OF_DAY_DAWN),
        ("close-up", "camera.size", shot_pb2.SHOT_SIZE_CLOSE_UP),
        ("from above", "camera.angle", shot_pb2.CAMERA_ANGLE_HIGH),
        ("hand-held", "camera.move", shot_pb2.CAMERA_MOVE_HANDHELD),
        ("melancholic", "mood", "wistful"),
    ],
)
def test_a_note_changes_what_it_names(
    note: str, path: str, value: object, fielded: tuple[Storyboard, Backend]
) -> None:
    """One word sets one field."""
    _, after, notes = rewritten(fielded, note)
    found: Any = after.shot
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value
    assert not [text for text in notes if "Not understood" in text and note in text]


def test_numbers_move_in_the_direction_asked(fielded: tuple[Storyboard, Backend]) -> None:
    """Faster, calmer, fuller, emptier, darker and brighter are what they say."""
    before, faster, _ = rewritten(fielded, "faster")
    assert faster.shot.motion > before.shot.motion
    assert rewritten(fielded, "calmer")[1].shot.motion < before.shot.motion
    assert rewritten(fielded, "busier")[1].shot.density > before.shot.density
    assert rewritten(fielded, "emptier")[1].shot.density < before.shot.density
    assert lightness(rewritten(fielded, "darker")[1]) < lightness(before) - 0.02
    assert lightness(rewritten(fielded, "brighter")[1]) > lightness(before) + 0.02
    wider = rewritten(fielded, "wider")[1].shot.camera.size
    assert wider == max(shot_pb2.SHOT_SIZE_EXTREME_WIDE, before.shot.camera.size - 1)


def test_weather_is_told(fielded: tuple[Storyboard, Backend]) -> None:
    """The new description keeps subject and action and says something of the new weather."""
    before, after, _ = rewritten(fielded, "snow")
    assert after.shot.subject == before.shot.subject
    assert after.shot.action == before.shot.action
    assert any(word in after.description.lower() for word in ("snow", "white", "flake"))
    storyboard, _ = fielded
    assert after.description not in [scene.description for scene in storyboard.scenes]


def test_another_place_gets_its_own_seed(fielded: tuple[Storyboard, Backend]) -> None:
    """Moving a scene to another setting takes it out of its place."""
    before, _, _ = rewritten(fielded, "")
    other = "city" if before.shot.setting == "ocean" else "ocean"
    _, after, _ = rewritten(fielded, f"in the {other}")
    assert after.shot.setting == other
    assert after.place_id == ""
    assert after.shot.place_seed != before.shot.place_seed
    _, after, notes = rewritten(fielded, "in the desert")
    assert after.shot.setting == before.shot.setting
    assert any("cannot film desert" in note for note in notes)


def test_an_empty_note_is_another_version(fielded: tuple[Storyboard, Backend]) -> None:
    """Without a note the same shot is told anew; another seed tells it differently again."""
    before, after, notes = rewritten(fielded, "")
    assert after.description != before.description
    assert after.shot.weather == before.shot.weather
    assert after.place_id == before.place_id
    assert not notes
    versions = {rewritten(fielded, "", seed)[1].description for seed in range(8)}
    assert len(versions) >= 4
    assert rewritten(fielded, "", 3)[1] == rewritten(fielded, "", 3)[1]


def test_unknown_words_go_where_they_are_read(styles: Any, frames_of: Any) -> None:
    """A backend that reads words is told of the whale; what was not understood is said."""
    story = written(styles, frames_of, words=True)
    _, after, notes = rewritten(story, "rain, add a whale")
    assert "a whale" in after.description
    assert "a whale" in after.shot.prompt
    assert after.shot.weather == shot_pb2.WEATHER_RAIN
    assert any("whale" in note for note in notes)


def test_everything_else_stays(fielded: tuple[Storyboard, Backend]) -> None:
    """Whatever the note, time, handles, cues, transition and identity are untouched."""
    for note in ("rain, closer, faster, red", "in the city at dawn", "", "gibberish xyzzy"):
        before, after, _ = rewritten(fielded, note)
        for field in Scene.DESCRIPTOR.fields:
            if field.name not in ("description", "shot", "seed", "place_id", "cast_ids"):
                assert getattr(after, field.name) == getattr(before, field.name), field.name


def test_people_whom_the_treatment_does_not_know_are_left_out(
    fielded: tuple[Storyboard, Backend],
) -> None:
    """A scene that names somebody who is in no cast is rewritten without them."""
    storyboard, backend = fielded
    scene = storyboard.scenes[NUMBER]
    scene.cast_ids.append("stranger")
    after, _ = rewrite_scene(storyboard, scene, "closer", backend, 1)
    assert after.description


def test_a_sparse_scene_can_be_rewritten() -> None:
    """A scene of somebody else's making, with hardly a field set, is handled."""
    storyboard = Storyboard(frames=24, frame_rate=common_pb2.FrameRate(num=24, den=1))
    storyboard.scenes.add(id="x", frames=24)
    backend = read_profile(profile_pb2.VideoGenProfile())
    after, _ = rewrite_scene(storyboard, storyboard.scenes[0], "rain", backend, 1)
    assert after.shot.weather == shot_pb2.WEATHER_RAIN
    assert after.shot.time_of_day == shot_pb2.TIME_OF_DAY_UNSPECIFIED
    assert after.description
    assert after.shot.prompt
