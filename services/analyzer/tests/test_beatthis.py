"""Beat This! with a tiny checkpoint of random weights, made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from soundsight_analyzer.rhythm import beatthis
from soundsight_analyzer.rhythm.beatthis import BeatModel, find_beat_model
from soundsight_analyzer.spectra import RATE_HZ

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> BeatModel:
    """A model found in a folder of models, as its trainer writes them."""
    tracker = pytest.importorskip("beat_this.model.beat_tracker")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    shape = {"transformer_dim": 32, "ff_mult": 2, "n_layers": 1, "head_dim": 8, "stem_dim": 8}
    weights = tracker.BeatThis(**shape).state_dict()
    folder = tmp_path_factory.mktemp("models")
    torch.save(
        {
            "hyper_parameters": shape,
            "state_dict": {f"model.{name}": value for name, value in weights.items()},
        },
        folder / "beat_this-tiny.ckpt",
    )
    found = find_beat_model(Path(folder), "cpu")
    assert found is not None
    return found


def test_pieces_hear_what_the_whole_does(model: BeatModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Activations are probabilities, fifty a second, however the song is cut."""
    noise = np.random.default_rng(0).standard_normal(25 * RATE_HZ)
    song = (0.1 * noise).astype(np.float32)
    whole = model(song)
    assert len(whole.beat) == len(whole.downbeat) == 1251
    assert ((whole.beat >= 0) & (whole.beat + whole.downbeat <= 1)).all()
    monkeypatch.setattr(beatthis, "_CHUNK_S", 10)
    monkeypatch.setattr(beatthis, "_OVERLAP_S", 2)
    cut = model(song)
    assert cut.beat == pytest.approx(whole.beat, abs=0.01)
    assert cut.downbeat == pytest.approx(whole.downbeat, abs=0.01)
