"""Calls follow from the storyboard and from what the backend can do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from soundsight.common.v1 import common_pb2 as c
from soundsight.composer.v1 import composer_pb2 as co
from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1 import storyboard_pb2 as sb
from soundsight.videogen.v1 import profile_pb2 as p
from soundsight.videogen.v1 import videogen_pb2 as v
from soundsight_gateway import plan
from soundsight_kit.errors import FailedPrecondition


def storyboard(continues: str = "..") -> sb.Storyboard:
    """A storyboard with one scene per character; `+` continues the one before."""
    made = sb.Storyboard(frames=48 * len(continues), frame_rate=c.FrameRate(num=24, den=1))
    made.treatment.cast.add(id="cast-1").reference_images.add(uri="file:///face", sha256="fa" * 32)
    for i, mark in enumerate(continues):
        scene = made.scenes.add(
            id=f"s{i:03}", index=i, start_frame=48 * i, frames=48, continues_previous=mark == "+"
        )
        scene.shot.negative_prompt = "text"
        scene.cast_ids.append("cast-1")
    return made


def footing(*capabilities: p.VideoCapability.ValueType, continues: str = "..") -> plan.Footing:
    video = r.VideoSettings(pool="default", fingerprints=["f00d"])
    video.profile.capabilities.extend(capabilities)
    video.profile.consumed_inputs.extend(["shot", "start_image", "reference_images"])
    return plan.Footing("demo", plan.wish(r.RenderSpec()), storyboard(continues), video, 60.0)


@pytest.mark.parametrize(
    ("output", "quality", "expected"),
    [
        ((1280, 720), v.QUALITY_STANDARD, (640, 360)),
        ((1920, 1080), v.QUALITY_STANDARD, (960, 544)),
        ((1280, 720), v.QUALITY_DRAFT, (480, 272)),
        ((1280, 720), v.QUALITY_HIGH, (960, 544)),
        ((720, 1280), v.QUALITY_STANDARD, (360, 640)),
        ((64, 64), v.QUALITY_DRAFT, (24, 24)),
    ],
)
def test_the_internal_size_follows_output_and_quality(
    output: tuple[int, int], quality: v.Quality.ValueType, expected: tuple[int, int]
) -> None:
    """The standard size is scaled, to whole multiples, keeping the output's shape."""
    profile = p.VideoGenProfile(size_multiple=8)
    profile.standard_internal_resolution.width = 640
    profile.standard_internal_resolution.height = 360
    size = plan.internal_resolution(
        profile, c.Resolution(width=output[0], height=output[1]), quality
    )
    assert (size.width, size.height) == expected


def test_a_backend_with_sizes_of_its_own_gets_the_one_of_nearest_shape() -> None:
    """A vertical video is made from a vertical picture; the backend's first choice wins ties."""
    profile = p.VideoGenProfile()
    for width, height in ((832, 480), (480, 832), (1664, 960)):
        profile.resolutions.add(width=width, height=height)
    wide, tall = c.Resolution(width=1280, height=720), c.Resolution(width=720, height=1280)
    assert plan.internal_resolution(profile, wide, v.QUALITY_HIGH).width == 832
    assert plan.internal_resolution(profile, tall, v.QUALITY_HIGH).width == 480


def test_takes_wait_for_each_other_only_where_a_picture_can_be_handed_on() -> None:
    """Chains exist for backends that take a first picture; elsewhere all takes are free."""
    story = storyboard(".++.+")
    linked = p.VideoGenProfile(capabilities=[p.VIDEO_CAPABILITY_START_IMAGE])
    assert plan.chains(story, linked) == [["s000", "s001", "s002"], ["s003", "s004"]]
    assert plan.chains(story, p.VideoGenProfile()) == [[scene.id] for scene in story.scenes]


def test_a_call_holds_only_what_the_backend_offers() -> None:
    """Negative prompts, reference images and previews need their capabilities."""
    plain = footing()
    _, request = plan.clip_request(plain, plain.storyboard.scenes[0], fingerprint="f00d")
    assert not request.shot.negative_prompt
    assert not request.reference_images
    assert not request.HasField("preview_interval")
    able = footing(
        p.VIDEO_CAPABILITY_NEGATIVE_PROMPT,
        p.VIDEO_CAPABILITY_REFERENCE_IMAGES,
        p.VIDEO_CAPABILITY_PREVIEW,
    )
    key, request = plan.clip_request(able, able.storyboard.scenes[0], fingerprint="f00d")
    assert request.shot.negative_prompt == "text"
    assert request.reference_images[0].uri == "file:///face"
    assert request.HasField("preview_interval")
    assert request.output_key == f"projects/demo/clips/{key}"


@pytest.mark.parametrize(
    ("quality", "priority"),
    [(v.QUALITY_DRAFT, 1), (v.QUALITY_UNSPECIFIED, 0), (v.QUALITY_HIGH, 0)],
)
def test_drafts_come_before_finals(quality: v.Quality.ValueType, priority: int) -> None:
    """A draft's clips are filmed before others that wait, and their keys do not say so."""
    made = replace(footing(), wish=plan.wish(r.RenderSpec(quality=quality)))
    key, request = plan.clip_request(made, made.storyboard.scenes[0], fingerprint="f00d")
    assert request.priority == priority
    other = replace(made, wish=replace(made.wish, priority=priority - 1))
    assert key == plan.clip_request(other, made.storyboard.scenes[0], fingerprint="f00d")[0]


def test_a_chained_take_begins_with_the_last_picture_of_the_one_before() -> None:
    """The picture is handed on, and a clip without it cannot be continued."""
    linked = footing(p.VIDEO_CAPABILITY_START_IMAGE, continues=".+")
    first, second = linked.storyboard.scenes
    key, request = plan.clip_request(linked, first, fingerprint="f00d", starts_chain=True)
    assert request.store_last_frame
    clip = v.Clip()
    with pytest.raises(FailedPrecondition):
        plan.clip_request(linked, second, fingerprint="f00d", predecessor=clip, predecessor_key=key)
    clip.last_frame.uri = "file:///last.png"
    _, request = plan.clip_request(
        linked, second, fingerprint="f00d", predecessor=clip, predecessor_key=key
    )
    assert request.start_image.uri == "file:///last.png"


def test_a_clip_of_another_length_does_not_fit() -> None:
    """A file that exists is not the right file."""
    made = footing()
    _, request = plan.clip_request(made, made.storyboard.scenes[0], fingerprint="f00d")
    clip = v.Clip(shot_frames=48, frame_rate=request.frame_rate, resolution=request.resolution)
    clip.video.uri = "file:///clip.mp4"
    assert plan.fits(clip, request)
    for field in ("handle_in_frames", "shot_frames", "handle_out_frames"):
        other = v.Clip()
        other.CopyFrom(clip)
        setattr(other, field, 47)
        assert not plan.fits(other, request)


def test_titles_given_win_over_titles_found() -> None:
    """The caller's title, else the song's, else the film's."""
    made = footing()
    made.storyboard.treatment.title = "film"
    clips = {scene.id: c.ArtifactRef(sha256="aa") for scene in made.storyboard.scenes}

    def title(given: str, tagged: str) -> str:
        _, request = plan.compose_request(
            made, r.RenderSpec(title=given), r.CanonicalSong(title=tagged), None, clips, "", "f"
        )
        return request.metadata.title

    assert [title("mine", "tag"), title("", "tag"), title("", "")] == ["mine", "tag", "film"]


def compose(
    made: plan.Footing, spec: r.RenderSpec, song: r.CanonicalSong, *capabilities: str
) -> tuple[str, co.ComposeRequest]:
    clips = {scene.id: c.ArtifactRef(sha256="aa") for scene in made.storyboard.scenes}
    return plan.compose_request(made, spec, song, None, clips, "", "f", capabilities)


@pytest.mark.parametrize(
    ("given", "tagged", "expected"),
    [
        (("", ""), ("Tag", "Singer"), "Tag\nSinger"),
        (("Mine", ""), ("Tag", ""), "Mine"),
        (("Mine", "Me"), ("Tag", "Singer"), "Mine\nMe"),
        (("", ""), (" a\tb\n c\0 ", "\r\n"), "a b c"),
        (("", ""), ("x" * 300, "y" * 300), "x" * 98 + "…\n" + "y" * 98 + "…"),
    ],
)
def test_a_song_with_a_title_gets_a_card(
    given: tuple[str, str], tagged: tuple[str, str], expected: str
) -> None:
    """Title and artist, each in one printable line, that a caption has room for."""
    spec = r.RenderSpec(title=given[0], artist=given[1])
    song = r.CanonicalSong(title=tagged[0], artist=tagged[1])
    _, request = compose(footing(continues="." * 8), spec, song, "captions")
    assert [card.text for card in request.captions] == [expected]
    assert request.captions[0].style == co.CAPTION_STYLE_TITLE
    assert len(expected) <= 200


@pytest.mark.parametrize(
    ("scenes", "rate", "expected"),
    [
        (8, (24, 1), (17, 84)),
        (8, (30000, 1001), (21, 105)),
        (4, (24, 1), (17, 64)),
        (8, (60, 1), None),
    ],
)
def test_a_card_takes_a_small_part_of_a_video(
    scenes: int, rate: tuple[int, int], expected: tuple[int, int] | None
) -> None:
    """It is seen from 0.7 s for 3.5 s, at most a third of the video; under 8 s there is none."""
    made = footing(continues="." * scenes)
    made.wish.frame_rate.num, made.wish.frame_rate.den = rate
    _, request = compose(made, r.RenderSpec(title="Mine"), r.CanonicalSong(), "captions")
    seen = [(card.start_frame, card.frames) for card in request.captions]
    assert seen == ([expected] if expected else [])


def test_an_invented_title_gets_no_card() -> None:
    """A film's own title names no song, and an artist alone is no title."""
    made = footing(continues="." * 8)
    made.storyboard.treatment.title = "film"
    song = r.CanonicalSong(artist="Singer", title=" \t")
    _, request = compose(made, r.RenderSpec(), song, "captions")
    assert not request.captions


def test_captions_go_only_to_a_composer_that_draws_them() -> None:
    """Another composer would refuse the whole video; and the key tells the two apart."""
    made, song = footing(continues="." * 8), r.CanonicalSong(title="Tag")
    plain, without = compose(made, r.RenderSpec(), song, "poster", "transitions")
    carded, with_card = compose(made, r.RenderSpec(), song, "captions", "poster")
    assert not without.captions
    assert with_card.captions
    assert plain != carded


def test_the_comment_names_each_model_once() -> None:
    """Provenance in a line."""
    models = [v.ClipProvenance(model_id=one) for one in ("wan", "wan", "built-in renderer")]
    assert plan.made_with(models) == "Made with Soundsight (wan, built-in renderer)"
    assert plan.made_with([]) == "Made with Soundsight"
