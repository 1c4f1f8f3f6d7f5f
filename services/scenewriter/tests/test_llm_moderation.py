"""The moderation hook: what it refuses is not filmed, whoever wrote it."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest
from asking_writer import by_rules, failure, good, model, request_of, rewrite, write
from scripted_writer import Reply, WritingModel, count_of, says, user_of

from soundsight.scenewriter.v1 import scenewriter_pb2 as pb
from soundsight_kit.errors import FailedPrecondition, Unavailable, error_from_rpc

__all__ = ["model", "request_of"]  # fixtures


async def test_without_an_endpoint_nothing_is_sent(model: WritingModel, request_of: Any) -> None:
    """No moderation is asked unless a setting names one."""
    await write(model, request_of())
    assert not model.moderated


async def test_every_prompt_is_seen(model: WritingModel, request_of: Any) -> None:
    """By either writer, all prompts and descriptions that come out have been looked at."""
    request = request_of()
    for writer in (pb.WRITER_LLM, pb.WRITER_RULES):
        request.brief.writer = writer
        model.moderated.clear()
        _, storyboard = await write(model, request, moderation_url=model.url)
        seen = "\n".join(model.moderated)
        for scene in storyboard.scenes:
            assert scene.shot.prompt in seen
            assert scene.description in seen
        assert storyboard.treatment.logline in seen


async def test_a_refused_shot_is_asked_for_again(model: WritingModel, request_of: Any) -> None:
    """The model hears what the moderation refused, and writes something else."""
    spoilt: list[int] = []

    def script(body: dict[str, Any]) -> Reply | None:
        if not count_of(body) or spoilt:
            return None
        spoilt.append(1)
        answer = good(body)
        answer["shots"][0]["detail"] = "A bloodbath in broad daylight."
        return says(json.dumps(answer))

    model.script = script
    model.flagged = lambda text: "bloodbath" in text
    _, storyboard = await write(model, request_of(), moderation_url=model.url)
    assert not any("bloodbath" in scene.shot.prompt for scene in storyboard.scenes)
    assert not by_rules(storyboard)
    asked = [user_of(body) for body in model.requests if count_of(body)]
    assert any("moderation refuses it (violence)" in text for text in asked)


async def test_a_refused_scene_of_the_rules_turns_neutral(
    model: WritingModel, request_of: Any
) -> None:
    """Where nobody can be asked again a neutral scene of the same place and time is filmed."""
    request = request_of()
    request.brief.writer = pb.WRITER_RULES
    _, before = await write(model, request)
    victim = before.scenes[3]
    model.flagged = lambda text: victim.description in text
    _, after = await write(model, request, moderation_url=model.url)
    assert after.scenes[3].description != victim.description
    assert after.scenes[3].frames == victim.frames
    assert after.scenes[2] == before.scenes[2]
    assert any("s004 (violence)" in note for note in after.notes)


async def test_a_refused_treatment_is_an_error(model: WritingModel, request_of: Any) -> None:
    """A film whose treatment is refused is not made, and the error says what to change."""
    request = request_of(title="Bloodbath")
    request.brief.writer = pb.WRITER_RULES
    model.flagged = lambda text: "Bloodbath" in text
    error = await failure(model, request, moderation_url=model.url)
    assert isinstance(error, FailedPrecondition)
    assert error.reason == "PROMPT_FLAGGED"
    assert "change the brief" in error.message


async def test_an_absent_moderation_lets_nothing_pass(model: WritingModel, request_of: Any) -> None:
    """When the endpoint does not answer the call fails: no prompt is filmed unseen."""
    error = await failure(model, request_of(), moderation_url="http://127.0.0.1:9/v1")
    assert isinstance(error, Unavailable)
    assert error.reason == "MODERATION_UNAVAILABLE"


async def test_a_refused_rewriting_is_an_error(model: WritingModel, request_of: Any) -> None:
    """What a note leads to is looked at as well, and not handed out when it is refused."""
    _, storyboard = await write(model, request_of())
    scene_id = storyboard.scenes[0].id
    scene, _ = await rewrite(model, storyboard, scene_id, "calmer", moderation_url=model.url)
    assert any(scene.shot.prompt in text for text in model.moderated)
    model.flagged = lambda _: True
    with pytest.raises(grpc.RpcError) as caught:
        await rewrite(model, storyboard, scene_id, "calmer", moderation_url=model.url)
    error = error_from_rpc(caught.value)
    assert error.reason == "PROMPT_FLAGGED"
    assert "reword the note" in error.message
