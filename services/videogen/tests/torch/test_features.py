"""Each feature shows that it works, or is an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studio_filming import Take, film, tiny_request
from tiny_pipelines import make_gguf

from soundsight_kit.errors import FailedPrecondition
from soundsight_videogen.diffusion.cards import read_card
from soundsight_videogen.diffusion.features.attention import AttentionBackend
from soundsight_videogen.diffusion.features.caching import StepCache
from soundsight_videogen.diffusion.features.compiling import Compile
from soundsight_videogen.diffusion.features.feature import NoEffect, WorkCount
from soundsight_videogen.diffusion.features.parallel import ContextParallel
from soundsight_videogen.diffusion.libraries import library
from soundsight_videogen.diffusion.loading import load_pipeline
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.studio import Studio

pytestmark = [
    pytest.mark.torch,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

Make = Callable[[str], Path]


def with_settings(
    model: Path,
    folder: Path,
    plan: MemoryPlan = MemoryPlan.FASTEST,
    **settings: Any,
) -> Take:
    """A clip by a fresh studio with these settings."""
    studio = Studio(StudioSettings(device="cpu", **settings))
    return film(studio, model, tiny_request(steps=6), folder, plan=plan)


CACHES = [
    ("wan21", "first_block"),
    ("wan21", "taylorseer"),
    ("wan21", "magcache"),
    ("wan21", "pyramid"),
    ("wan22-image", "first_block"),
    ("wan-vace", "first_block"),
    ("ltx", "first_block"),
    ("ltx", "taylorseer"),
    ("ltx", "pyramid"),
    ("cogvideox", "first_block"),
    ("cogvideox", "pyramid"),
    ("cogvideox", "taylorseer"),
    ("wan22-image", "taylorseer"),
    ("wan22-image", "magcache"),
    ("wan22-image", "pyramid"),
    ("wan-vace", "magcache"),
]


def proved(tiny: Make, name: str, feature: Any) -> str:
    """Applies a feature to a fresh pipeline, films, and returns its evidence."""
    from soundsight_videogen.diffusion.embeddings import EmbeddingCache
    from soundsight_videogen.diffusion.families.family import Stills
    from soundsight_videogen.diffusion.families.family import Take as ModelTake
    from soundsight_videogen.diffusion.stage import Stage

    settings = StudioSettings(device="cpu")
    card = read_card(str(tiny(name)), settings)
    stage = Stage(card, load_pipeline(card, settings, "cpu"), "cpu", EmbeddingCache(4), [feature])
    from PIL import Image

    still = Image.new("RGB", (32, 32), (90, 20, 160)) if card.traits.needs_start else None
    stage.prove(
        ModelTake(
            "a city",
            "blurry",
            (32, 32),
            card.traits.grid.smallest,
            24.0,
            6,
            4.0,
            7,
            text_tokens=card.traits.text_tokens,
            stills=Stills(start=still),
        ),
        lambda: False,
    )
    return stage.evidence[feature.name]


@pytest.mark.parametrize(("name", "kind"), CACHES)
def test_caches_leave_work_out(name: str, kind: str, tiny: Make) -> None:
    """Every cache that a family declares is seen to leave out work."""
    assert "left out" in proved(tiny, name, StepCache(kind, 0.1, 6))


def test_declared_caches_are_those_tested(tiny: Make) -> None:
    """No family declares a cache that the test above does not prove."""
    from soundsight_videogen.diffusion.families import families

    tested: dict[str, set[str]] = {}
    for name, kind in CACHES:
        family = read_card(str(tiny(name)), StudioSettings()).family.name
        tested.setdefault(family, set()).add(kind)
    declared = {family.name: set(family.caches) for family in families() if family.caches}
    assert declared == tested


def test_a_cache_changes_pictures_a_little(tiny: Make, tmp_path: Path) -> None:
    """With a loose threshold the clip differs from one without a cache, and says what was done."""
    plain = with_settings(tiny("wan21"), tmp_path / "plain")
    cached = with_settings(
        tiny("wan21"), tmp_path / "cached", cache="first_block", cache_threshold=0.9
    )
    assert not np.array_equal(plain.frames, cached.frames)
    assert any("left out" in note for note in cached.footage.notes)


def test_a_cache_that_does_not_work_is_refused(tiny: Make, tmp_path: Path) -> None:
    """A cache that a family cannot use is an error with those that it can."""
    with pytest.raises(FailedPrecondition) as caught:
        with_settings(tiny("wan-vace"), tmp_path, cache="taylorseer")
    assert caught.value.reason == "CACHE_NOT_SUPPORTED"
    assert "first_block" in caught.value.message


def test_attention_calls_are_counted(tiny: Make) -> None:
    """A backend that is used is seen to be called."""
    assert "calls" in proved(tiny, "wan21", AttentionBackend("_native_math"))


def test_an_attention_backend_of_one_model_is_not_the_next_ones(tiny: Make) -> None:
    """Beside a model with a backend of its own, others go on with PyTorch's choice."""
    attention_dispatch = library("diffusers.models.attention_dispatch")
    proved(tiny, "wan21", AttentionBackend("_native_math"))
    active, _ = attention_dispatch._AttentionBackendRegistry.get_active_backend()
    assert active == attention_dispatch.AttentionBackendName.NATIVE


@pytest.mark.parametrize("backend", ["flash", "no_such_backend"])
def test_an_attention_backend_that_is_not_there_is_an_error(
    backend: str, tiny: Make, tmp_path: Path
) -> None:
    """A backend that this machine has not, or that nobody knows, is an error when loading."""
    with pytest.raises(FailedPrecondition) as caught:
        with_settings(tiny("wan21"), tmp_path, attention=backend)
    assert caught.value.reason == "FEATURE_WITHOUT_EFFECT"


@pytest.mark.parametrize("name", ["wan21", "ltx", "cogvideox"])
def test_blocks_are_compiled(name: str, tiny: Make) -> None:
    """Compiled blocks are seen in the compiler's own count."""
    assert "compiled" in proved(tiny, name, Compile(backend="eager"))


@pytest.mark.parametrize("kind", ["int8", "layerwise_fp8"])
def test_quantised_weights_shrink(kind: str, tiny: Make, tmp_path: Path) -> None:
    """Quantised weights take less memory, the clip is whole, and it says so."""
    take = with_settings(tiny("wan21"), tmp_path, quantisation=kind)
    assert len(take.frames) == 13
    assert any("MiB" in note for note in take.footage.notes)


def test_four_bits_are_kept_packed(tiny: Make, tmp_path: Path) -> None:
    """Weights in 4 bits lie in the class that packs them and take less than half of the memory;
    the clip is whole."""
    take = with_settings(tiny("wan21-wide"), tmp_path, quantisation="int4")
    assert len(take.frames) == 13
    (note,) = [note for note in take.footage.notes if note.startswith("quantisation: int4")]
    assert "40 as Int4OpaqueTensor" in note
    before, after = (float(size) for size in re.findall(r"([\d.]+) MiB", note))
    assert after < 0.5 * before


def test_a_gguf_file_stands_in_for_the_weights(tiny: Make, tmp_path: Path) -> None:
    """With the transformer's own weights in 8 bits the clip is much as without, takes less memory
    and says so; a file that is none, or another model's, is an error."""
    model = tiny("wan21-wide")
    file = make_gguf(model, tmp_path / "wan.gguf")
    plain = with_settings(model, tmp_path / "plain").frames
    take = with_settings(model, tmp_path / "packed", gguf=file)
    (note,) = [note for note in take.footage.notes if note.startswith("gguf: ")]
    assert "40 as Q8_0" in note
    before, after = (float(size) for size in re.findall(r"([\d.]+) MiB", note))
    assert after < 0.5 * before
    assert np.abs(take.frames.astype(int) - plain).mean() < 4
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(file.read_bytes()[:1000])
    for wrong, other in ((broken, model), (file, tiny("wan21")), (tmp_path / "none.gguf", model)):
        with pytest.raises(FailedPrecondition) as caught:
            with_settings(other, tmp_path / "wrong", gguf=wrong)
        assert caught.value.reason == "MODEL_NOT_LOADABLE"


@pytest.mark.parametrize("plan", list(MemoryPlan))
@pytest.mark.parametrize("name", ["wan21", "ltx", "cogvideox"])
def test_every_memory_plan_films(name: str, plan: MemoryPlan, tiny: Make, tmp_path: Path) -> None:
    """Each plan gives a clip of the frames asked for."""
    assert len(with_settings(tiny(name), tmp_path, plan=plan).frames) == 13


def test_a_feature_without_effect_is_an_error(tiny: Make) -> None:
    """A feature that is switched on and shows nothing ends the loading, by name."""

    class Idle(StepCache):
        def _enable(self, threshold: float) -> None:
            pass

        def settle(self) -> None:
            pass

    with pytest.raises(NoEffect) as caught:
        proved(tiny, "wan21", Idle("first_block", 0.1, 6))
    assert caught.value.metadata["feature"] == "cache first_block"


def test_several_gpus_need_several_processes(tiny: Make) -> None:
    """Context parallelism in one process is an error, not a silent nothing."""
    with pytest.raises(NoEffect):
        proved(tiny, "wan21", ContextParallel(2))


def test_work_is_counted_only_while_it_is_watched(tiny: Make) -> None:
    """A count that was stopped leaves no hooks behind."""
    settings = StudioSettings(device="cpu")
    pipeline = load_pipeline(read_card(str(tiny("wan21")), settings), settings, "cpu")
    count = WorkCount(pipeline)
    count.stop()
    assert not any(module._forward_pre_hooks for module in pipeline.transformer.modules())


def test_a_lora_is_loaded_and_seen(tiny: Make, tmp_path: Path) -> None:
    """A LoRA changes the clip and its layers are counted; one for another model is an error."""
    plain = with_settings(tiny("wan21"), tmp_path / "plain")
    lora = make_lora(tmp_path / "style.safetensors", "blocks.0.attn1.to_q", 24)
    styled = with_settings(tiny("wan21"), tmp_path / "styled", loras=(f"{lora}=0.8",))
    assert not np.array_equal(plain.frames, styled.frames)
    assert any("in 1 layers, weight 0.8" in note for note in styled.footage.notes)
    foreign = make_lora(tmp_path / "foreign.safetensors", "blocks.0.attn1.to_q", 40)
    for unusable in (str(foreign), str(tmp_path / "none.safetensors"), f"{lora}=much"):
        with pytest.raises(FailedPrecondition) as caught:
            with_settings(tiny("wan21"), tmp_path / "no", loras=(unusable,))
        assert caught.value.reason == "LORA_UNUSABLE"


def make_lora(path: Path, layer: str, width: int) -> Path:
    """A LoRA file of rank 2 for one square layer."""
    import torch

    save_file = library("safetensors.torch").save_file

    torch.manual_seed(1)
    save_file(
        {
            f"transformer.{layer}.lora_A.weight": torch.randn(2, width),
            f"transformer.{layer}.lora_B.weight": torch.randn(width, 2),
        },
        path,
    )
    return path
