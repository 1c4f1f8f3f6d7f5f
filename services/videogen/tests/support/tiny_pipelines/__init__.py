"""Tiny video pipelines with random weights, made on the spot and saved as real ones are.

One for every family that the studio knows, some hundred thousand weights each: enough to go through
the real loader and the real pipelines in a second, never enough for a picture of anything.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from soundsight_videogen.diffusion.libraries import library
from tiny_pipelines import cogvideox, hunyuan, ltx, wan

TINY: dict[str, Callable[[], Any]] = {
    "wan21": wan.wan21,
    "wan22": wan.wan22,
    "wan22-5b": wan.wan22_five,
    "wan21-image": wan.wan21_image,
    "wan21-ends": wan.wan21_ends,
    "wan22-image": wan.wan22_image,
    "wan-vace": wan.wan_vace,
    "ltx": ltx.ltx,
    "ltx2": ltx.ltx2,
    "cogvideox": cogvideox.cogvideox,
    "cogvideox-image": cogvideox.cogvideox10_image,
    "cogvideox15": cogvideox.cogvideox15,
    "cogvideox15-image": cogvideox.cogvideox15_image,
    "hunyuan15": hunyuan.hunyuan15,
    "hunyuan15-image": lambda: hunyuan.hunyuan15(image=True),
    "skyreels2": wan.skyreels2,
}
"""One of each kind that a family knows."""

VARIANTS: dict[str, Callable[[], Any]] = {"wan21-wide": wan.wan21_wide}
"""Further ones, for single features."""


def make_tiny(name: str, folder: Path) -> Path:
    """Saves the pipeline `name`, one of TINY or VARIANTS, to a folder."""
    import torch

    torch.manual_seed(0)
    {**TINY, **VARIANTS}[name]().save_pretrained(folder)
    return folder


def make_gguf(model: Path, file: Path) -> Path:
    """Saves a model's transformer as a GGUF file: what can be packed by the 32 in 8 bits."""
    gguf, load_file = library("gguf"), library("safetensors.torch").load_file

    (weights,) = (model / "transformer").glob("*.safetensors")
    packed = gguf.GGMLQuantizationType.Q8_0
    writer = gguf.GGUFWriter(str(file), "wan")
    for name, tensor in load_file(weights).items():
        numbers = tensor.numpy()
        if name.startswith("blocks.") and numbers.ndim == 2 and numbers.shape[1] % 32 == 0:
            writer.add_tensor(name, gguf.quants.quantize(numbers, packed), raw_dtype=packed)
        else:
            writer.add_tensor(name, numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
