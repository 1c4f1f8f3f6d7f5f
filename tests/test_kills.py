"""A render survives the death of any part of its suite, at any stage."""

from __future__ import annotations

import signal

import pytest
from faults import (
    LAUNCHER,
    STAGES,
    TARGETS,
    Rendering,
    Undisturbed,
    left_behind,
    send,
    victims,
)

QUICK = [("half the clips", "videogen"), ("composition", "gateway"), ("half the clips", LAUNCHER)]


def _kill_and_finish(rendering: Rendering, stage: str, target: str, calm: Undisturbed) -> None:
    running = rendering.start()
    running.wait_for(STAGES[stage])
    send(victims(rendering, target), signal.SIGKILL)
    # Whoever dies in the middle of a write leaves this. Here it seldom hits the moment.
    half_written = rendering.state.artifacts / ".staging" / "0123#1"
    half_written.parent.mkdir(parents=True, exist_ok=True)
    half_written.touch()
    code = running.ends()
    if code:
        assert "Traceback" not in running.told
        assert "give the command again" in running.told, running.told
        running = rendering.start()
        assert running.ends() == 0, running.told + rendering.line.logs()
    filmed = rendering.clips()
    assert left_behind(rendering) == []
    came_to = rendering.came_to()
    assert (came_to.pictures, came_to.sound) == (calm.pictures, calm.sound)
    # What is logged was finished; what was finished as its service died may not be logged.
    assert set(filmed.values()) == {1}, filmed
    assert calm.clips - len(filmed) in (0, 1), filmed


@pytest.mark.parametrize(("stage", "target"), QUICK)
def test_a_render_survives(
    rendering: Rendering, undisturbed: Undisturbed, stage: str, target: str
) -> None:
    """Killed there, by itself or by the same command the render comes to the same video; no scene
    that was finished is filmed again, and nothing is left behind."""
    _kill_and_finish(rendering, stage, target, undisturbed)


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_render_survives_everywhere(
    rendering: Rendering, undisturbed: Undisturbed, stage: str, target: str
) -> None:
    """The same at every stage, for every part."""
    if (stage, target) in QUICK:
        pytest.skip("done by `make test`")
    _kill_and_finish(rendering, stage, target, undisturbed)
