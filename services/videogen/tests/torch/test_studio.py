"""What the studio keeps, gives back, and how it says that something cannot be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from studio_filming import SEA, film, tiny_request

from soundsight_kit.errors import FailedPrecondition, SoundsightError
from soundsight_videogen.diffusion.cards import read_card
from soundsight_videogen.diffusion.errors import OutOfMemory
from soundsight_videogen.diffusion.libraries import library
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.studio import Studio

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

Make = Callable[[str], Path]


def test_models_stay_until_there_is_no_room(tiny: Make, tmp_path: Path) -> None:
    """With room for two, the model used least recently goes; released ones are gone."""
    studio = Studio(StudioSettings(device="cpu", resident_models=2))
    for name in ("wan21", "ltx", "wan21", "cogvideox"):
        film(studio, tiny(name), tiny_request(), tmp_path)
    resident = studio.resident_models()
    assert [Path(model.id).name for model in resident] == ["wan21", "cogvideox"]
    assert all(model.bytes > 100_000 for model in resident)
    assert resident[0].last_used_s <= resident[1].last_used_s
    studio.release(resident[0].id)
    studio.release("unknown")
    assert [Path(model.id).name for model in studio.resident_models()] == ["cogvideox"]


def test_prompts_are_encoded_once(tiny: Make, tmp_path: Path) -> None:
    """Scenes that share their words share the encoder's work, also across takes of other seeds."""
    studio = Studio(StudioSettings(device="cpu"))
    for number, seed in enumerate((1, 2, 3)):
        film(studio, tiny("wan21"), tiny_request(seed=seed), tmp_path / str(number))
    film(studio, tiny("wan21"), tiny_request(SEA), tmp_path / "sea")
    assert (studio._texts.hits, studio._texts.misses) == (2, 2)


def test_too_little_memory_is_told_with_its_plan(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An allocation that fails comes out as OutOfMemory of the plan, leaves no file and unloads
    the model; a cheaper plan can then be tried."""
    import torch

    studio = Studio(StudioSettings(device="cpu"))
    film(studio, tiny("wan21"), tiny_request(), tmp_path / "before")
    _, stage = next(iter(studio._stages.values()))

    def full(*args: object, **kwargs: object) -> None:
        raise torch.OutOfMemoryError("tried to allocate 20 GiB")

    monkeypatch.setattr(stage.pipeline.vae, "decode", full)
    with pytest.raises(OutOfMemory) as caught:
        film(studio, tiny("wan21"), tiny_request(), tmp_path / "full")
    assert (caught.value.plan, caught.value.reason) == ("fastest", "OUT_OF_MEMORY")
    assert list((tmp_path / "full").iterdir()) == []
    assert studio.resident_models() == ()
    plan = MemoryPlan.FASTEST.cheaper()
    assert plan is MemoryPlan.VAE_TILING
    take = film(studio, tiny("wan21"), tiny_request(), tmp_path / "again", plan=plan)
    assert len(take.frames) == 13


def test_models_that_cannot_be(tiny: Make, tmp_path: Path) -> None:
    """Each folder that is no model of ours is an error with a reason, before any work."""
    good = tiny("wan21")
    studio = Studio(StudioSettings(device="cpu"))

    def reason(folder: Path | str) -> str:
        with pytest.raises(SoundsightError) as caught:
            film(studio, Path(folder), tiny_request(), tmp_path / "out")
        assert list((tmp_path / "out").iterdir()) == []
        return caught.value.reason

    def copy(name: str) -> Path:
        return Path(shutil.copytree(good, tmp_path / name))

    empty = tmp_path / "empty"
    empty.mkdir()
    assert reason(empty) == "NOT_A_PIPELINE"
    assert reason(tmp_path / "nowhere") == "MODEL_NOT_FOUND"
    other = copy("other")
    index = (other / "model_index.json").read_text()
    (other / "model_index.json").write_text(index.replace("WanPipeline", "FluxPipeline"))
    assert reason(other) == "MODEL_NOT_SUPPORTED"
    pickled = copy("pickled")
    for file in pickled.glob("*/*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    assert reason(pickled) == "UNSAFE_WEIGHTS"
    cut = copy("cut")
    weights = cut / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert reason(cut) == "MODEL_CORRUPT"
    headless = copy("headless")
    weights = headless / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(b"\xff" * 64 + weights.read_bytes()[64:])
    assert reason(headless) == "MODEL_CORRUPT"
    bare = copy("bare")
    shutil.rmtree(bare / "text_encoder")
    assert reason(bare) == "MODEL_NOT_LOADABLE"


def test_pictures_that_are_no_numbers_are_an_error(tiny: Make, tmp_path: Path) -> None:
    """A model that computes no numbers gives no black clip but says so, and leaves no file."""
    save_file, load_file = (
        getattr(library("safetensors.torch"), name) for name in ("save_file", "load_file")
    )
    broken = Path(shutil.copytree(tiny("wan21"), tmp_path / "broken"))
    (file,) = (broken / "vae").glob("*.safetensors")
    weights = load_file(file)
    weights["decoder.conv_out.bias"].fill_(float("nan"))
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(FailedPrecondition) as caught:
        film(Studio(StudioSettings(device="cpu")), broken, tiny_request(), tmp_path / "out")
    assert caught.value.reason == "NOT_A_NUMBER"
    assert list((tmp_path / "out").iterdir()) == []


def test_a_clip_beyond_the_model_is_refused(studio: Studio, tiny: Make, tmp_path: Path) -> None:
    """A clip longer than the model's longest says how long it may be."""
    request = tiny_request(shot_frames=90)
    with pytest.raises(FailedPrecondition) as caught:
        film(studio, tiny("wan21"), request, tmp_path)
    assert caught.value.reason == "FRAMES_BEYOND_MODEL"
    assert caught.value.metadata["most"] == "81"


def test_revisions_name_weights(tiny: Make, tmp_path: Path) -> None:
    """A folder's revision stays with its files and changes with any weight file."""
    copy = Path(shutil.copytree(tiny("wan21"), tmp_path / "copy"))
    settings = StudioSettings()
    before = read_card(str(copy), settings).model.revision
    assert before == read_card(str(tiny("wan21")), settings).model.revision
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    assert read_card(str(copy), settings).model.revision != before


@pytest.mark.parametrize("rate", [Fraction(16), Fraction(24), Fraction(30000, 1001)])
def test_any_rate_is_filmed_exactly(
    rate: Fraction, studio: Studio, tiny: Make, tmp_path: Path
) -> None:
    """A model of 16 frames a second gives exact clips at other rates, and says what was done."""
    take = film(studio, tiny("wan21"), tiny_request(rate=rate, shot_frames=17), tmp_path)
    assert len(take.frames) == 21
    told = any("retimed" in note for note in take.footage.notes)
    assert told == (rate != 16)
    assert take.footage.rendered_frames == (21 if rate == 16 else 17 if rate == 24 else 13)


def test_colours_of_previews_are_learned(tiny: Make, tmp_path: Path) -> None:
    """After its first clip, a model's last preview is nearer to its pictures than at first."""
    import cv2

    studio = Studio(StudioSettings(device="cpu"))

    def distance(folder: str) -> float:
        take = film(studio, tiny("cogvideox"), tiny_request(steps=3), tmp_path / folder)
        frame, jpeg = take.witness.previews[-1]
        decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        preview = decoded[..., ::-1]
        size = (24, 16)
        picture = cv2.resize(take.frames[frame], size, interpolation=cv2.INTER_AREA)
        small = cv2.resize(preview, size, interpolation=cv2.INTER_AREA)
        return float(np.abs(small.astype(int) - picture.astype(int)).mean())

    first = distance("first")
    assert distance("second") < first
