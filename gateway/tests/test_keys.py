"""Keys cover exactly what changes a result, and stay what they are."""

from __future__ import annotations

import hashlib

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from soundsight.analyzer.v1 import analyzer_pb2 as a
from soundsight.common.v1 import common_pb2 as c
from soundsight.composer.v1 import composer_pb2 as co
from soundsight.render.v1 import resources_pb2 as r
from soundsight.scenewriter.v1 import scenewriter_pb2 as w
from soundsight.videogen.v1 import shot_pb2 as s
from soundsight.videogen.v1 import videogen_pb2 as v
from soundsight_gateway import keys
from soundsight_kit.errors import FailedPrecondition, InvalidArgument

CONSUMED = ("shot.setting", "shot.palette", "shot.camera", "cues.energy", "seed", "start_image")

seeds = st.integers(0, 2**63 - 1)
words = st.text(max_size=20)


def clip_request() -> v.GenerateClipRequest:
    """A request with every kind of field set."""
    return v.GenerateClipRequest(
        project="demo",
        output_key="projects/demo/clips/x",
        expected_fingerprint="f00d",
        shot=s.Shot(
            prompt="a lighthouse in the rain",
            setting="ocean",
            mood="calm",
            camera=s.Camera(move=s.CAMERA_MOVE_TRAVEL, lens_mm=35.5),
            palette=[c.Color(red=1, green=2, blue=3), c.Color(red=250, name="amber")],
            place_seed=2**62 + 1,
        ),
        shot_frames=48,
        handle_in_frames=2,
        handle_out_frames=3,
        frame_rate=c.FrameRate(num=24, den=1),
        resolution=c.Resolution(width=1280, height=720),
        internal_resolution=c.Resolution(width=640, height=360),
        seed=2**53 + 1,
        quality=v.QUALITY_STANDARD,
        cues=s.MusicCues(energy=bytes(range(53)), bass=bytes(53), beat_frames=[2, 14]),
        encoder=c.EncoderSettings(codec="h264", crf=20, timescale=24000),
        start_image=c.ArtifactRef(uri="file:///a.png", sha256="ab" * 32),
    )


def clip_key(request: v.GenerateClipRequest, **changed: object) -> str:
    arguments = {"consumed_inputs": CONSUMED, "fingerprint": "f00d", **changed}
    return keys.clip_key(request, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        lambda q: setattr(q.shot, "setting", "city"),
        lambda q: setattr(q.shot.palette[1], "name", "gold"),
        lambda q: setattr(q.shot.camera, "lens_mm", 35.6),
        lambda q: setattr(q.cues, "energy", bytes(53)),
        lambda q: setattr(q, "seed", 2**53 + 2),
        lambda q: setattr(q.start_image, "sha256", "cd" * 32),
        lambda q: setattr(q, "shot_frames", 49),
        lambda q: setattr(q, "handle_in_frames", 3),
        lambda q: setattr(q, "handle_out_frames", 0),
        lambda q: setattr(q.frame_rate, "den", 2),
        lambda q: setattr(q.resolution, "width", 1278),
        lambda q: setattr(q.internal_resolution, "height", 352),
        lambda q: setattr(q.encoder, "crf", 21),
        lambda q: setattr(q, "store_last_frame", True),
    ],
)
def test_a_changed_consumed_input_changes_the_key(change) -> None:  # type: ignore[no-untyped-def]
    """Whatever the backend consumes, and whatever shapes the file, is in the key."""
    changed = clip_request()
    change(changed)
    assert clip_key(changed) != clip_key(clip_request())


@given(seeds, words, words, st.integers(1, 10**6))
def test_a_changed_unconsumed_input_leaves_the_key(
    seed: int, prompt: str, mood: str, priority: int
) -> None:
    """What the backend does not consume, and how the work is done, is not in the key."""
    changed = clip_request()
    changed.shot.prompt, changed.shot.mood = prompt, mood
    changed.shot.place_seed = seed
    changed.cues.bass = b"\x07" * 53
    changed.quality = v.QUALITY_HIGH
    changed.project, changed.output_key = "other", "elsewhere"
    changed.priority = priority
    changed.detach_grace.CopyFrom(Duration(seconds=priority))
    changed.start_image.uri = "s3://elsewhere/b.png"
    assert clip_key(changed) == clip_key(clip_request())


@given(seeds, seeds)
def test_seeds_beyond_double_precision_are_told_apart(one: int, other: int) -> None:
    """Two seeds give two keys over the whole 63-bit range."""
    first, second = clip_request(), clip_request()
    first.seed, second.seed = one, other
    assert (clip_key(first) == clip_key(second)) == (one == other)


def test_a_path_to_a_message_means_all_of_its_fields() -> None:
    """Declaring a message or each of its fields gives the same key."""
    fields = [f"shot.{field.name}" for field in s.Shot.DESCRIPTOR.fields]
    assert clip_key(clip_request(), consumed_inputs=["shot"]) == clip_key(
        clip_request(), consumed_inputs=[*reversed(fields), "shot.prompt"]
    )


def test_a_chained_take_is_keyed_by_its_predecessor_instead_of_its_first_picture() -> None:
    """The predecessor's key is in the key; the picture made from it is not."""
    other_picture = clip_request()
    other_picture.start_image.sha256 = "ee" * 32
    assert clip_key(clip_request(), predecessor="p1") == clip_key(other_picture, predecessor="p1")
    assert clip_key(clip_request(), predecessor="p1") != clip_key(clip_request(), predecessor="p2")
    assert clip_key(clip_request(), predecessor="p1") != clip_key(clip_request())


def test_another_backend_is_another_key() -> None:
    """The fingerprint is in the key."""
    assert clip_key(clip_request()) != clip_key(clip_request(), fingerprint="beef")


@pytest.mark.parametrize("path", ["shot.colour", "output_key", "seed.low", "", "shot.palette.red"])
def test_a_path_that_is_no_input_is_refused(path: str) -> None:
    """A misspelt declaration must not turn into a key that covers too little."""
    with pytest.raises(FailedPrecondition):
        clip_key(clip_request(), consumed_inputs=[path])


def test_a_number_that_is_not_finite_is_refused() -> None:
    """Canonical JSON has no NaN."""
    request = clip_request()
    request.shot.camera.lens_mm = float("nan")
    with pytest.raises(InvalidArgument):
        clip_key(request)


def test_an_empty_excerpt_is_not_an_absent_one() -> None:
    """A present message counts even when all of its fields are zero."""
    assert keys.song_key("aa", r.Excerpt(), "f") != keys.song_key("aa", None, "f")


def test_the_order_of_features_does_not_matter() -> None:
    """The same features in another order are the same analysis."""
    options = a.AnalyzeOptions(max_tags=3)
    one = keys.analysis_key("aa", [a.FEATURE_TAGS, a.FEATURE_RHYTHM], options, "f")
    assert one == keys.analysis_key(
        "aa", [a.FEATURE_RHYTHM, a.FEATURE_TAGS, a.FEATURE_TAGS], options, "f"
    )


def test_a_storyboard_does_not_depend_on_the_speed_of_the_machine() -> None:
    """A measured speed differs between machines; the storyboard does not."""
    slow, fast = storyboard_request(), storyboard_request()
    slow.video.seconds_per_frame, fast.video.seconds_per_frame = 1.0, 0.1
    assert keys.storyboard_key(slow, "an", "f") == keys.storyboard_key(fast, "an", "f")
    fast.video.max_frames += 1
    assert keys.storyboard_key(slow, "an", "f") != keys.storyboard_key(fast, "an", "f")


def storyboard_request() -> w.WriteStoryboardRequest:
    request = w.WriteStoryboardRequest(frames=1080, seed=7)
    request.frame_rate.num, request.frame_rate.den = 24, 1
    request.brief.style = "hand-painted"
    request.brief.palette.add(red=255)
    request.video.max_frames = 120
    return request


def compose_request() -> co.ComposeRequest:
    request = co.ComposeRequest(project="demo", output_key="k", frames=96, poster_frame=-1)
    request.clips.add(shot_frames=96).video.sha256 = "ab" * 32
    request.soundtrack.canonical.sha256 = "cd" * 32
    request.soundtrack.samples = 192_000
    return request


def test_golden_keys() -> None:
    """Keys stay what they are: a change here makes every stored result unreachable.

    The values were computed by this code when it was written.
    """
    excerpt = r.Excerpt(start_s=1.5, end_s=9.25)
    options = a.AnalyzeOptions(language="en", max_tags=3)
    spec = r.RenderSpec(seed=9, frame_rate=c.FrameRate(num=30, den=1))
    assert {
        "clip": clip_key(clip_request()),
        "chained": clip_key(clip_request(), predecessor="12" * 32),
        "song": keys.song_key("ab" * 32, excerpt, "f00d"),
        "analysis": keys.analysis_key("ab" * 32, [a.FEATURE_RHYTHM], options, "f00d"),
        "storyboard": keys.storyboard_key(storyboard_request(), "12" * 32, "f00d"),
        "composition": keys.composition_key(compose_request(), "f00d"),
        "spec": keys.spec_digest(spec),
    } == {
        "clip": "0f19aee91910fd373e8af2e338e96e4cfbd4769b0da17bce23561f12c3b7795f",
        "chained": "94d0b656bd06e10f5dc58abf12f5f3df9db5f1fd00a0986a81a1e471db6a0d67",
        "song": "625d439aa19cfaa8d6e287f56d6a9e52c748f03120747c0bc4c9ec876268cb46",
        "analysis": "3369db66d3d456c0154de17ed5a213c423c1c75930492a7b23c7ce868b3fd7b4",
        "storyboard": "618ec71a259d7067486d8a18dc72fc4dbfbf8ebf724d8361e9d9e514c186441d",
        "composition": "cc119c0429d31e207764aa337eecb45278a6fd246b623fba4f8d273c539d88f7",
        "spec": "92e036e66daeb3d15bd4fb4c493c51741daf96c526c73c1c91b3388aefa1c63a",
    }


def test_a_key_is_the_digest_of_canonical_json() -> None:
    """The key can be computed by anyone who reads the module's docstring."""
    document = f'{{"fingerprint":"f00d","kind":"song","song":"{"ab" * 32}","version":1}}'
    expected = hashlib.sha256(document.encode()).hexdigest()
    assert keys.song_key("ab" * 32, None, "f00d") == expected
