"""The language model's writer on a real server: it fills the plan, and survives a bad model."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import pytest
from asking_writer import (
    CALL_S,
    by_rules,
    failure,
    good,
    model,
    request_of,
    rewrite,
    write,
    writer_of,
)
from scripted_writer import MODEL, Reply, WritingModel, count_of, says, system_of, user_of

from soundsight.common.v1.implementation_pb2 import GetInfoRequest
from soundsight.common.v1.implementation_pb2_grpc import ImplementationServiceStub
from soundsight.scenewriter.v1 import scenewriter_pb2 as pb
from soundsight.scenewriter.v1.storyboard_pb2 import Storyboard
from soundsight_kit.channels import open_channel
from soundsight_kit.errors import FailedPrecondition, Unavailable, error_from_rpc
from soundsight_kit.languagemodel.endpoint import estimated_tokens
from soundsight_kit.testing import assert_eventually, running_server
from soundsight_kit.timeline import check_storyboard
from soundsight_scenewriter.llm.prompting import NAMES, read_prompts
from soundsight_scenewriter.service import SceneWriterServicer, scenewriter_info
from soundsight_scenewriter.settings import SceneWriterSettings

__all__ = ["model", "request_of"]  # fixtures


def spoil_first_shots(model: WritingModel, spoil: Any) -> None:
    """The first answer with several shots is what `spoil` makes of a good one."""
    spoilt: list[int] = []

    def script(body: dict[str, Any]) -> Reply | None:
        if count_of(body) < 2 or spoilt:
            return None
        spoilt.append(1)
        answer = spoil(good(body))
        return answer if isinstance(answer, Reply) else says(json.dumps(answer))

    model.script = script


async def test_the_model_fills_the_plan(model: WritingModel, request_of: Any) -> None:
    """Every scene is the model's, on the very cuts of the rules' plan, and it is said who wrote."""
    request = request_of()
    progress, storyboard = await write(model, request)
    request.brief.writer = pb.WRITER_RULES
    _, rules = await write(model, request)
    assert not by_rules(storyboard)
    assert len(storyboard.scenes) > 5
    for scene, planned in zip(storyboard.scenes, rules.scenes, strict=True):
        for field in ("id", "index", "start_frame", "frames", "cues", "seed", "transition_in"):
            assert getattr(scene, field) == getattr(planned, field)
        assert scene.description != planned.description
        # The facts of the film are in every prompt, put in by code.
        assert storyboard.treatment.look[:30].lower() in scene.shot.prompt.lower()
        assert scene.shot.subject.lower() in scene.shot.prompt.lower()
    places = {place.id for place in storyboard.treatment.places}
    cast = {member.id for member in storyboard.treatment.cast}
    assert {scene.place_id for scene in storyboard.scenes} <= places
    assert {name for scene in storyboard.scenes for name in scene.cast_ids} <= cast
    assert storyboard.treatment.logline != rules.treatment.logline
    assert len(storyboard.treatment.arc) == len(request.analysis.sections)
    author = storyboard.authorship
    assert (author.writer, author.model_id) == ("llm", MODEL)
    assert author.prompt_version
    assert rules.authorship.writer == "rules"
    assert not rules.authorship.model_id
    stages = [step.stage for step in progress]
    assert stages == sorted(stages, key=["plan", "treatment", "scenes", "check"].index)


async def test_same_answers_same_storyboard(model: WritingModel, request_of: Any) -> None:
    """A model that answers alike gives the same storyboard; another seed another one."""
    request = request_of()
    _, first = await write(model, request)
    _, second = await write(model, request)
    for mine, again in zip(first.scenes, second.scenes, strict=True):
        assert str(mine.shot) == str(again.shot)
    assert first == second
    request.seed = 8
    _, other = await write(model, request)
    assert [scene.description for scene in other.scenes] != [
        scene.description for scene in first.scenes
    ]


async def test_what_the_model_says_is_shown(model: WritingModel, request_of: Any) -> None:
    """While an answer comes in, the progress carries its words."""
    said: list[str] = []

    def script(body: dict[str, Any]) -> Reply | None:
        if not count_of(body):
            return None
        said.append(json.dumps(good(body)))
        return says(said[-1], stall_s=0.5)

    model.script = script
    progress, _ = await write(model, request_of())
    heard = [step.message for step in progress if step.stage == "scenes" and step.message]
    assert heard
    assert all(any(words in answer for answer in said) for words in heard)
    assert all(request["stream"] for request in model.requests)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda _: says("I would love to! First, imagine a beach."), "JSON"),
        (lambda a: says(json.dumps(a)[:80], finish_reason="length"), "cut off"),
        (lambda _: says(""), "empty"),
        (lambda a: {**a, "shots": a["shots"][:1]}, "missing"),
        (lambda a: {**a, "shots": [a["shots"][0]] * len(a["shots"])}, "repeats"),
        (lambda a: {**a, "shots": [{**s, "place": "Atlantis"} for s in a["shots"]]}, "Atlantis"),
        (lambda a: {**a, "shots": [{**s, "cast": ["Elvis"]} for s in a["shots"]]}, "Elvis"),
        (lambda a: {**a, "shots": [{**s, "subject": ""} for s in a["shots"]]}, "say something"),
        (lambda a: {**a, "shots": [{**s, "subject": "string"} for s in a["shots"]]}, "nothing"),
        (
            lambda a: {**a, "shots": [{**s, "detail": "Ünïc\ufffd\ufffd de."} for s in a["shots"]]},
            "broken characters",
        ),
        (
            lambda a: {**a, "shots": [{**s, "detail": "Rain. Rain. Rain."} for s in a["shots"]]},
            "over and over",
        ),
        (
            lambda a: {
                **a,
                "shots": [{**s, "detail": "The dark, " * 9 + "the dark"} for s in a["shots"]],
            },
            "same words over and over",
        ),
        (
            lambda a: {**a, "shots": [{**s, "detail": "The_tall_dark_ship"} for s in a["shots"]]},
            "underscores",
        ),
        (lambda a: {**a, "shots": [{**s, "mood": "dark_dusk"} for s in a["shots"]]}, "underscores"),
        (
            lambda a: {
                **a,
                "shots": [
                    {**s, "detail": "The story up to here, in one or two sentences."}
                    for s in a["shots"]
                ],
            },
            "repeats the question",
        ),
    ],
    ids=[
        "prose",
        "cut off",
        "empty",
        "too few",
        "repeats",
        "no such place",
        "no such cast",
        "empty text",
        "hollow",
        "garbage",
        "in circles",
        "word salad",
        "no spaces",
        "no mood",
        "parrots",
    ],
)
async def test_bad_shots_are_asked_for_again(
    model: WritingModel, request_of: Any, spoil: Any, told: str
) -> None:
    """An answer that will not do goes back with its reason, and the next good one is taken."""
    spoil_first_shots(model, spoil)
    _, storyboard = await write(model, request_of())
    assert not by_rules(storyboard)
    asked = [body for body in model.requests if count_of(body)]
    assert any(told in user_of(body) for body in asked), [user_of(b)[-300:] for b in asked[:2]]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: f"<think>A beach? No, a pier.</think>\n{text}",
        lambda text: f"```json\n{text}\n```",
        lambda text: f"<think>\nHm.\n</think>\n\n```\n{text}\n```",
    ],
    ids=["thoughts", "fence", "both"],
)
async def test_habits_of_models_are_allowed(
    model: WritingModel, request_of: Any, wrap: Any
) -> None:
    """Thoughts before the answer and a fence around it cost no further question."""
    model.script = lambda body: says(wrap(json.dumps(good(body))))
    _, storyboard = await write(model, request_of())
    assert not by_rules(storyboard)
    assert not any("will not do" in user_of(body) for body in model.requests)


async def test_too_many_shots_are_cut(model: WritingModel, request_of: Any) -> None:
    """Shots beyond those that were asked for change nothing."""
    request = request_of()
    model.script = lambda body: (
        says(json.dumps({**good(body), "shots": [*good(body)["shots"], *good(body)["shots"]]}))
        if count_of(body)
        else None
    )
    _, storyboard = await write(model, request)
    request.brief.writer = pb.WRITER_RULES
    _, rules = await write(model, request)
    assert [scene.frames for scene in storyboard.scenes] == [s.frames for s in rules.scenes]


async def test_hopeless_shots_stay_with_the_rules(model: WritingModel, request_of: Any) -> None:
    """What the model never says well is the rules', in the model's places, and a note tells why."""
    model.script = lambda body: says('{"shots": [], "so_far": ""}') if count_of(body) else None
    _, storyboard = await write(model, request_of())
    assert any("it was missing" in note for note in by_rules(storyboard))
    assert all(scene.description for scene in storyboard.scenes)
    places = [place.name.lower() for place in storyboard.treatment.places]
    assert any(name in scene.shot.prompt.lower() for scene in storyboard.scenes for name in places)


async def test_a_hopeless_treatment_stays_with_the_rules(
    model: WritingModel, request_of: Any
) -> None:
    """Fields of the treatment that will not do are the rules'; the others are the model's."""

    def script(body: dict[str, Any]) -> Reply | None:
        answer = good(body)
        if "logline" not in answer:
            return None
        twins = [{**place, "name": "the pier"} for place in answer["places"]]
        spoilt = {"theme": "", "places": twins, "motifs": ["a kite", "A kite"]}
        return says(json.dumps({**answer, **spoilt}))

    model.script = script
    _, storyboard = await write(model, request_of())
    notes = " ".join(by_rules(storyboard))
    assert "theme" in notes
    assert "places" in notes
    assert "motifs" in notes
    assert storyboard.treatment.theme
    assert len({place.name for place in storyboard.treatment.places}) > 1
    assert "logline" not in notes
    assert storyboard.authorship.writer == "llm"


@pytest.mark.parametrize(
    "trouble",
    [Reply(429, headers=(("Retry-After", "0"),)), Reply(500), Reply(0), Reply(200, b"<html>")],
    ids=["429", "500", "closed", "proxy"],
)
async def test_passing_trouble_is_survived(
    model: WritingModel, request_of: Any, trouble: Reply
) -> None:
    """A busy, broken or hung-up endpoint is asked again."""
    model.script = lambda _: trouble if len(model.requests) == 2 else None
    _, storyboard = await write(model, request_of(), llm_attempts=3)
    assert not by_rules(storyboard)


@pytest.mark.parametrize(
    "hang",
    [Reply(after_s=3600.0), says('{"logline": "It"}', stall_s=3600.0)],
    ids=["mute", "stalls"],
)
async def test_a_hang_is_given_up(model: WritingModel, request_of: Any, hang: Reply) -> None:
    """An answer that does not come, or stops coming, is given up and asked for again."""
    model.script = lambda _: hang if len(model.requests) == 1 else None
    _, storyboard = await write(model, request_of(), llm_request_timeout_s=3.0)
    assert not by_rules(storyboard)
    await assert_eventually(lambda: model.abandoned == 1)


async def test_a_lasting_trouble_is_told(model: WritingModel, request_of: Any) -> None:
    """Whoever insists on the model is told that it is away or refuses; others get the rules."""
    model.script = lambda _: Reply(503, headers=(("Retry-After", "0"),))
    request = request_of()
    busy = await failure(model, request)
    assert isinstance(busy, Unavailable)
    assert busy.reason == "LANGUAGE_MODEL_BUSY"
    model.script = lambda _: Reply(404, b'{"error": {"message": "no such model"}}')
    refused = await failure(model, request)
    assert isinstance(refused, FailedPrecondition)
    assert refused.reason == "LANGUAGE_MODEL_REFUSED"
    assert "no such model" in refused.message
    away = await failure(model, request, llm_url="http://127.0.0.1:9/v1")
    assert away.reason == "LANGUAGE_MODEL_MISSING"
    assert "127.0.0.1:9" in away.message

    request.brief.writer = pb.WRITER_UNSPECIFIED
    _, storyboard = await write(model, request)
    assert storyboard.authorship.writer == "rules"
    assert any("no such model" in note for note in storyboard.notes)


async def test_without_a_model_it_cannot_be_asked_for(model: WritingModel, request_of: Any) -> None:
    """Asking for a model that is not configured fails at once; not asking gives the rules."""
    request = request_of()
    error = await failure(model, request, llm_url="", llm_model="")
    assert isinstance(error, FailedPrecondition)
    assert error.reason == "LANGUAGE_MODEL_NOT_AVAILABLE"
    request.brief.writer = pb.WRITER_UNSPECIFIED
    _, storyboard = await write(model, request, llm_url="", llm_model="")
    assert storyboard.authorship.writer == "rules"
    assert not model.requests


async def test_budgets_end_the_asking(model: WritingModel, request_of: Any) -> None:
    """When tokens or time are used up the rules write the rest, and a note says so."""
    request = request_of()
    _, few = await write(model, request, llm_most_tokens=330)
    assert any("330 tokens" in note for note in by_rules(few))
    assert few.authorship.writer == "llm"
    model.script = lambda body: Reply(after_s=3600.0) if count_of(body) else None
    _, late = await write(model, request, llm_timeout_s=5.0)
    assert any("the time" in note for note in by_rules(late))
    await assert_eventually(lambda: model.at_work == 0)


async def test_a_caller_who_leaves_stops_the_question(model: WritingModel, request_of: Any) -> None:
    """Cancelling the call hangs up on the model at once."""
    model.script = lambda _: Reply(after_s=3600.0)
    async with writer_of(model) as writer:
        call: Any = writer.WriteStoryboard(request_of(), timeout=CALL_S)
        reading = asyncio.ensure_future(_drained(call))
        await assert_eventually(lambda: model.at_work == 1)
        call.cancel()
        await assert_eventually(lambda: model.at_work == 0)
        assert model.abandoned == 1
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_a_full_house_is_told(model: WritingModel, request_of: Any) -> None:
    """With all slots taken and no queue the next caller is sent elsewhere at once."""
    model.script = lambda _: Reply(after_s=3600.0)
    async with writer_of(model, slots=1, queue_limit=0) as writer:
        first: Any = writer.WriteStoryboard(request_of(), timeout=CALL_S)
        reading = asyncio.ensure_future(_drained(first))
        await assert_eventually(lambda: model.at_work == 1)
        with pytest.raises(grpc.RpcError) as caught:
            await _drained(writer.WriteStoryboard(request_of(), timeout=CALL_S))
        assert error_from_rpc(caught.value).reason == "NO_FREE_SLOT"
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def _drained(call: Any) -> None:
    async for _ in call:
        pass


async def test_a_long_song_fits_a_small_context(model: WritingModel, request_of: Any) -> None:
    """A song of more than 150 shots is written in questions that each fit the context."""
    parts = tuple(("ABCD"[n % 4], "verse", 16, 0.4 + 0.15 * (n % 4)) for n in range(14))
    request = request_of(bpm=170, parts=parts)
    request.brief.pace = pb.PACE_FAST
    request.brief.story = "A long walk through a town that is being taken down. " * 150
    for index in range(3000):
        request.analysis.lyrics.lines.add(
            start_s=index * 0.1, end_s=index * 0.1 + 0.1, text="Oh" * 40
        )
    model.context_tokens = 3072
    _, storyboard = await write(model, request)
    assert len(storyboard.scenes) > 150
    assert not by_rules(storyboard)
    for body in model.requests:
        asked = sum(estimated_tokens(message["content"]) for message in body["messages"])
        assert asked + body["max_tokens"] <= 3072
    assert any("story is longer" in note for note in storyboard.notes)


async def test_both_pipelines_reach_the_model(model: WritingModel, request_of: Any) -> None:
    """Labels, the audio model's concept, or both are told, as the brief asks."""
    request = request_of()
    request.analysis.concept.summary = "A whale under a frozen town."
    for pipeline, labels, concept in (
        (pb.PIPELINE_LABELS, True, False),
        (pb.PIPELINE_CONCEPT, False, True),
        (pb.PIPELINE_BOTH, True, True),
    ):
        request.brief.pipeline = pipeline
        model.requests.clear()
        await write(model, request)
        assert ("genre: indie" in user_of(model.requests[0])) is labels
        assert ("frozen town" in user_of(model.requests[0])) is concept


async def test_the_brief_is_obeyed(model: WritingModel, request_of: Any) -> None:
    """Given cast, colours and title stay; what must never be shown is asked out of every shot."""
    request = request_of(title="Paper Lanterns")
    request.brief.cast.add(name="Mara", look="short grey hair")
    for red in (10, 120, 240):
        request.brief.palette.add(red=red, green=red, blue=red)
    request.brief.never_show.append("lantern")
    request.brief.language = "de"
    _, storyboard = await write(model, request)
    assert storyboard.treatment.title == "Paper Lanterns"
    assert [member.name for member in storyboard.treatment.cast] == ["Mara"]
    assert [colour.red for colour in storyboard.treatment.palette] == [10, 120, 240]
    assert not any("lantern" in scene.description.lower() for scene in storyboard.scenes)
    assert all("the language “de”" in user_of(body) for body in model.requests)


async def test_get_info_names_the_model(model: WritingModel) -> None:
    """GetInfo tells the model and the version of its prompts; another model is another writer."""
    settings = SceneWriterSettings(llm_url=model.url, llm_model=MODEL)
    info = scenewriter_info(settings)
    servicer = SceneWriterServicer(settings, info)
    async with (
        running_server(servicer.binding, info=info, drain=servicer.drain) as target,
        open_channel(target) as channel,
    ):
        told = await ImplementationServiceStub(channel).GetInfo(GetInfoRequest(), timeout=CALL_S)
    assert "llm" in told.capabilities
    assert [model.id for model in told.models] == [MODEL]
    assert told.models[0].revision.startswith("prompts-")
    other = SceneWriterSettings(llm_url=model.url, llm_model="another")
    assert scenewriter_info(other).fingerprint != told.fingerprint


async def test_one_scene_is_rewritten(model: WritingModel, request_of: Any) -> None:
    """A note reaches the model, and one scene comes back with its time and cues as they were."""
    request = request_of()
    _, storyboard = await write(model, request)
    model.requests.clear()
    chosen = storyboard.scenes[2]
    note = "make it rain, closer on her face"

    def script(body: dict[str, Any]) -> Reply | None:
        wet = {
            "weather": "rain",
            "size": "close_up",
            "detail": "A clean napkin folds itself twice.",
        }
        return says(json.dumps({**good(body), **wet}))

    model.script = script
    scene, message = await rewrite(model, storyboard, chosen.id, note)
    assert note in user_of(model.requests[0])
    for field in ("id", "index", "start_frame", "frames", "cues", "transition_in", "cut_reason"):
        assert getattr(scene, field) == getattr(chosen, field)
    assert scene.description != chosen.description
    assert scene.shot.prompt != chosen.shot.prompt
    assert scene.shot.subject in scene.description.lower()
    assert not message
    edited = Storyboard()
    edited.CopyFrom(storyboard)
    edited.scenes[2].CopyFrom(scene)
    check_storyboard(edited)

    model.script = lambda _: says("no")
    fallback, message = await rewrite(model, storyboard, chosen.id, "closer")
    assert "The rules rewrote the scene" in message
    assert fallback.frames == chosen.frames


def test_prompts_can_be_replaced(tmp_path: Any) -> None:
    """A folder of the user's replaces the prompts and changes their version."""
    for name in NAMES:
        (tmp_path / f"{name}.md").write_text("Write, $language.\n")
    assert read_prompts(tmp_path).version != read_prompts().version
    (tmp_path / "arc.md").unlink()
    with pytest.raises(ValueError, match=r"arc\.md"):
        SceneWriterSettings(llm_prompts=tmp_path)
    with pytest.raises(ValueError, match="LLM_MODEL"):
        SceneWriterSettings(llm_url="http://localhost:1/v1")


async def test_system_prompt_is_the_same_for_all(model: WritingModel, request_of: Any) -> None:
    """The system prompt is one text, whatever is asked."""
    await write(model, request_of())
    assert len({system_of(body) for body in model.requests}) == 1
