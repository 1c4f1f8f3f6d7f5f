"""Wishes that contradict each other or cannot be granted: never_show wins, and each is told of."""

from __future__ import annotations

from typing import Any

import pytest

from soundsight.common.v1 import common_pb2
from soundsight.scenewriter.v1 import scenewriter_pb2 as pb
from soundsight.scenewriter.v1.storyboard_pb2 import Authorship, Storyboard
from soundsight.videogen.v1 import profile_pb2
from soundsight_kit.errors import InvalidArgument
from soundsight_kit.timeline import check_storyboard
from soundsight_scenewriter.requests import read_write_request
from soundsight_scenewriter.storyboards import write_storyboard


@pytest.fixture
def worded(styles: Any, frames_of: Any) -> pb.WriteStoryboardRequest:
    """The pop song, for a backend that reads words."""
    analysis = styles["pop"].analysis()
    request = pb.WriteStoryboardRequest(
        analysis=analysis,
        frames=frames_of(analysis, 24, 1),
        frame_rate=common_pb2.FrameRate(num=24, den=1),
        seed=4,
    )
    request.video.prompt_dialect.camera_words = True
    request.video.capabilities.append(profile_pb2.VIDEO_CAPABILITY_NEGATIVE_PROMPT)
    return request


@pytest.fixture
def fielded(worded: pb.WriteStoryboardRequest) -> pb.WriteStoryboardRequest:
    """The same for a backend that reads fields."""
    worded.video.Clear()
    worded.video.settings[:] = ["city", "ocean", "space"]
    worded.video.prompt_dialect.style = profile_pb2.PROMPT_STYLE_FIELDS
    return worded


def written(request: pb.WriteStoryboardRequest) -> Storyboard:
    """The storyboard of a request, which must be sound."""
    board = write_storyboard(read_write_request(request), Authorship(), lambda *_: None)
    check_storyboard(board)
    return board


def noted(board: Storyboard, *words: str) -> bool:
    """Whether one note has all of these words."""
    return any(all(word in note for word in words) for note in board.notes)


def test_a_forbidden_must_have_is_not_shown(worded: pb.WriteStoryboardRequest) -> None:
    """What never_show names is no motif and in no scene, though must_have asks for it."""
    worded.brief.must_have.extend(["a red balloon", "a paper kite"])
    worded.brief.never_show.append("balloons")
    board = written(worded)
    assert noted(board, "must_have", "a red balloon", "balloons")
    assert "a red balloon" not in board.treatment.motifs
    assert "a paper kite" in board.treatment.motifs
    assert not any("balloon" in scene.shot.prompt for scene in board.scenes)
    assert any(scene.shot.subject == "a paper kite" for scene in board.scenes)


def test_a_forbidden_look_keeps_somebody_out(worded: pb.WriteStoryboardRequest) -> None:
    """Who looks like something that must never be seen is in the treatment alone, with a note."""
    worded.brief.cast.add(name="Jon", look="a red beard")
    worded.brief.cast.add(name="Mara", look="grey eyes")
    worded.brief.never_show.append("beard")
    board = written(worded)
    ids = {member.name: member.id for member in board.treatment.cast}
    shown = {one for scene in board.scenes for one in scene.cast_ids}
    assert shown == {ids["Mara"]}
    assert noted(board, "Jon", "beard")


def test_a_forbidden_wish_of_a_section_is_not_filmed(worded: pb.WriteStoryboardRequest) -> None:
    """A section's wish does not bring back what never_show forbids."""
    worded.brief.section_wishes.add(section_index=2, text="a giant clown on stilts")
    worded.brief.never_show.append("clowns")
    board = written(worded)
    assert noted(board, "section 2", "clowns")
    assert not any("clown" in scene.description for scene in board.scenes)


def test_a_forbidden_setting_is_said(fielded: pb.WriteStoryboardRequest) -> None:
    """A setting that never_show names is not played in, and the note says why."""
    fielded.brief.setting = "the ocean"
    fielded.brief.never_show.append("ocean")
    board = written(fielded)
    assert "ocean" not in {scene.shot.setting for scene in board.scenes}
    assert noted(board, "setting", "never_show")
    assert not noted(board, "cannot film")


def test_must_haves_outside_of_the_setting_are_said(fielded: pb.WriteStoryboardRequest) -> None:
    """A place that must be seen but lies outside of the setting, or of the backend, gets a note
    that says which of the two it is."""
    fielded.brief.setting = "a city"
    fielded.brief.must_have.extend(["the ocean", "a jungle"])
    board = written(fielded)
    assert noted(board, "outside of the setting", "ocean")
    assert noted(board, "cannot be filmed by this backend", "forest")


def test_a_sky_that_cannot_be_seen_is_said(fielded: pb.WriteStoryboardRequest) -> None:
    """Snow that must be seen where there is no sky is told of."""
    fielded.brief.setting = "space"
    fielded.brief.must_have.append("snow")
    assert noted(written(fielded), "no section", "snow")


def test_wishes_without_means_are_said(worded: pb.WriteStoryboardRequest) -> None:
    """A section's own place and colours, pictures nobody takes, a missing negative prompt: each is
    answered by a note."""
    worded.brief.section_wishes.add(section_index=1, text="all red in the forest")
    worded.brief.cast.add(name="Mara").reference_images.add(uri="file:///mara.png")
    worded.brief.never_show.append("spiders")
    del worded.video.capabilities[:]
    board = written(worded)
    assert noted(board, "section 1", "its place and its colours")
    assert noted(board, "no reference pictures")
    assert noted(board, "no negative prompt")
    worded.video.capabilities.extend(
        [
            profile_pb2.VIDEO_CAPABILITY_NEGATIVE_PROMPT,
            profile_pb2.VIDEO_CAPABILITY_REFERENCE_IMAGES,
        ]
    )
    board = written(worded)
    assert not noted(board, "no reference pictures")
    assert not noted(board, "no negative prompt")
    assert board.treatment.cast[0].reference_images[0].uri == "file:///mara.png"


def test_every_section_gets_its_wish(worded: pb.WriteStoryboardRequest) -> None:
    """A thing wished for a section is seen in it, whichever section that is."""
    for index in range(len(worded.analysis.sections)):
        del worded.brief.section_wishes[:]
        worded.brief.section_wishes.add(section_index=index, text=f"a xylophone number {index}")
        board = written(worded)
        shown = [scene for scene in board.scenes if "xylophone" in scene.description]
        assert {scene.section_index for scene in shown} == {index}
        assert not noted(board, "too few shots")


def test_more_wishes_than_shots_are_said(worded: pb.WriteStoryboardRequest) -> None:
    """What a short film has no shot for is named in a note."""
    worded.analysis.Clear()
    worded.frames = 72
    worded.brief.must_have.extend(
        f"a zeppelin of {name}" for name in ("tin", "lead", "wax", "felt", "cork", "glass")
    )
    board = written(worded)
    shown = {scene.shot.subject for scene in board.scenes} & set(worded.brief.must_have)
    for text in worded.brief.must_have:
        assert (text in shown) is not noted(board, "too few shots", f"{text}"), text


def test_never_show_reaches_every_text_of_the_rules(worded: pb.WriteStoryboardRequest) -> None:
    """No look, motif, place or scene of the rules' own has a forbidden word in it."""
    forbidden = ["grain", "light", "shadows", "towers", "street"]
    worded.brief.never_show.extend(forbidden)
    for seed in range(4):
        worded.seed = seed
        board = written(worded)
        texts = [board.treatment.look, *board.treatment.motifs]
        texts += [scene.description for scene in board.scenes]
        joined = " ".join(texts).lower()
        for word in ("grain", "shadows", "towers", "street"):
            assert word not in joined, word


def test_a_whole_brief_of_the_largest_size_is_written(worded: pb.WriteStoryboardRequest) -> None:
    """A brief of over 100 kB within the bounds of its fields is obeyed; one entry more is refused
    with its path."""
    brief = worded.brief
    brief.style, brief.story = "s" * 2_000, "It rains. " * 999
    brief.must_have.extend(f"{index} {'m' * 290}" for index in range(64))
    brief.never_show.extend(f"{index} {'n' * 290}" for index in range(50))
    for index in range(20):
        brief.cast.add(name=f"n{index}", look="l" * 300, wardrobe="w" * 300)
    for index in range(200):
        brief.section_wishes.add(section_index=index % 10, text=f"{index} {'u' * 290}")
    assert brief.ByteSize() > 100_000
    board = written(worded)
    assert any(scene.shot.subject.startswith("0 mmm") for scene in board.scenes)
    brief.must_have.append("one more")
    with pytest.raises(InvalidArgument, match=r"brief\.must_have has 65 entries"):
        written(worded)


def test_poor_analyses_make_whole_films(fielded: pb.WriteStoryboardRequest) -> None:
    """Without beats, sections, curves, tags, title or any of these, a film is written all the
    same."""
    for names in (
        ("rhythm",), ("sections",), ("dynamics",), ("tags", "metadata"),
        ("rhythm", "sections", "dynamics", "tags", "metadata", "harmony", "emotion"),
    ):  # fmt: skip
        request = pb.WriteStoryboardRequest()
        request.CopyFrom(fielded)
        for name in names:
            request.analysis.ClearField(name)  # type: ignore[arg-type]
        board = written(request)
        assert board.treatment.title and board.treatment.logline and board.treatment.places
        assert all(scene.description and scene.shot.prompt for scene in board.scenes)
