"""`--video-model` names a model that is one, or ends the command with the next step."""

from __future__ import annotations

from pathlib import Path

import pytest

from soundsight_cli.child import SuiteError
from soundsight_cli.videomodel import choose_video_model, video_settings


def test_a_folder_becomes_a_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite may start elsewhere: what it is told holds wherever that is."""
    (tmp_path / "wan").mkdir()
    (tmp_path / "wan" / "model_index.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    model = choose_video_model("wan")
    assert model == str(tmp_path / "wan")
    assert video_settings(model) == {"SOUNDSIGHT_VIDEOGEN_MODELS": model}


def test_an_id_of_the_hub_is_taken_as_it_is() -> None:
    """Whether it can be had is found out where it is loaded."""
    assert choose_video_model("Wan-AI/Wan2.1-T2V-1.3B-Diffusers").startswith("Wan-AI/")


def test_no_model_means_the_built_in_renderer() -> None:
    """Nothing is told then."""
    assert video_settings(choose_video_model(None)) == {}


@pytest.mark.parametrize("named", ["/nowhere/at/all", "wan", "a,b", "https://hub/x"])
def test_what_is_no_model_is_refused(named: str) -> None:
    """With one line that names the option."""
    with pytest.raises(SuiteError, match="--video-model"):
        choose_video_model(named)


def test_a_folder_without_a_pipeline_is_refused(tmp_path: Path) -> None:
    """With what it lacks."""
    with pytest.raises(SuiteError, match=r"model_index\.json"):
        choose_video_model(str(tmp_path))
