"""A whole render films with a diffusion model instead of the built-in renderer."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine
from video_measures import video_facts

pytestmark = [pytest.mark.torch, pytest.mark.timeout(600)]


def test_a_song_is_filmed_with_a_model_of_ones_own(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--video-model FOLDER` makes a video of exactly the excerpt's frames, made with that model,
    through gateway, scene writer and composer as with any other; a running suite keeps its own."""
    import torch
    from tiny_pipelines import make_tiny

    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder = make_tiny("wan21", tmp_path / "tiny-wan")
    command_line = CommandLine(tmp_path / "state")
    video = tmp_path / "video.mp4"
    small = ("--width", "160", "--height", "90", "--quality", "draft", "--from", "0", "--to", "6")
    command_line.ok("render", song, "-o", video, *small, "--video-model", folder)
    assert video_facts(video).frames == 6 * 24
    records = [path.read_text() for path in (tmp_path / "state").rglob("clip.json")]
    made = [text for text in records if '"tiny-wan"' in text]
    assert made
    wrong = command_line("render", song, "-o", video, *small, "--video-model", tmp_path / "none")
    assert wrong.returncode == 2
    assert "there is no folder" in wrong.stderr
