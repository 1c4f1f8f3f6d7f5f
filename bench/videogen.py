"""How fast diffusion models film here, and what each feature does to time and memory.

Every row is a model with one feature switched on (or a few), filmed after a warm-up: seconds per
denoising step, the whole clip, the memory held at most, and how many times faster than the first
row. A feature that shows no effect is named with the reason.

    make bench-videogen MODEL=folder
    make bench-videogen OPTIONS='--random wan2.1-t2v-1.3b --steps 10 --out out/videogen'
    make bench-videogen OPTIONS='--tiny wan21 --size 64x64 --frames 9'
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from soundsight_kit.errors import SoundsightError
from soundsight_videogen.diffusion.cards import ModelCard, read_card
from soundsight_videogen.diffusion.embeddings import EmbeddingCache
from soundsight_videogen.diffusion.families.family import Stills, Take
from soundsight_videogen.diffusion.libraries import pick_device
from soundsight_videogen.diffusion.loading import load_pipeline, memory_errors, pick_dtype
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.stage import Stage
from soundsight_videogen.diffusion.staging import dress_stage
from videogen_models import RANDOM, RandomModel

PROMPT = "A neon city at night in the rain, slow dolly forward, cinematic."
NEGATIVE = "low quality, blurry, watermark"
WARM_STEPS = 2
GIB = float(1 << 30)


@dataclass(frozen=True)
class Variant:
    """A row: settings that differ from the first row's, and the memory plan."""

    name: str
    settings: dict[str, Any]
    plan: MemoryPlan = MemoryPlan.FASTEST
    gpu_only: bool = False


VARIANTS = (
    Variant("as it is", {}),
    Variant("compile", {"compile": True}),
    Variant("first-block cache", {"cache": "first_block"}),
    Variant("compile, first-block cache", {"compile": True, "cache": "first_block"}),
    Variant("int8 weights", {"quantisation": "int8"}),
    Variant("int4 weights", {"quantisation": "int4"}),
    Variant("layerwise fp8", {"quantisation": "layerwise_fp8"}),
    Variant("vae tiling", {}, MemoryPlan.VAE_TILING),
    Variant("model offload", {}, MemoryPlan.MODEL_OFFLOAD, gpu_only=True),
    Variant("group offload", {}, MemoryPlan.GROUP_OFFLOAD, gpu_only=True),
    Variant("taylorseer", {"cache": "taylorseer"}),
    Variant("attention cudnn", {"attention": "_native_cudnn"}, gpu_only=True),
    Variant("attention flash", {"attention": "_native_flash"}, gpu_only=True),
    Variant("fp8", {"quantisation": "fp8"}),
    Variant("fp8, compile", {"quantisation": "fp8", "compile": True}),
)
RANDOM_WEIGHTS = {"cache_threshold": 1.0}
"""No two steps of a model with random weights are alike: its caches reuse whatever they can, which
shows the most that they save."""


@dataclass(frozen=True)
class Row:
    """What a variant came to. `ratio` is the first row's seconds per step over this one's."""

    model: str
    variant: str
    step_s: float = 0.0
    encode_s: float = 0.0
    decode_s: float = 0.0
    clip_s: float = 0.0
    peak_gib: float = 0.0
    weights_gib: float = 0.0
    ready_s: float = 0.0
    ratio: float = 0.0
    evidence: str = ""
    failure: str = ""


class Stopwatch:
    """Follows a take and notes when what happened, once the device is done with it."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._phases: dict[str, float] = {}
        self._steps: list[float] = []

    def phase(self, name: str) -> None:
        """A phase begins."""
        self._phases[name] = self._now()

    def progress(self, done: int, total: int) -> None:
        """A step is done."""
        self._steps.append(self._now())

    def preview(self, frame: int, jpeg: bytes) -> None:
        """A picture."""

    def _now(self) -> float:
        synchronise(self._device)
        return time.perf_counter()

    def times(self) -> tuple[float, float, float, float]:
        """Seconds per step (the first left out), for encoding, for decoding, in all."""
        end = self._now()
        began, denoising, decoding = (self._phases[n] for n in ("encode", "denoise", "decode"))
        steps = self._steps
        step_s = (
            (steps[-1] - steps[0]) / (len(steps) - 1) if len(steps) > 1 else steps[0] - denoising
        )
        return step_s, denoising - began, end - decoding, end - began


def synchronise(device: str) -> None:
    """Waits for the device."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()


def measure(source: Source, variant: Variant, take: Take, options: argparse.Namespace) -> Row:
    """One row: a fresh pipeline, the features, a warm-up of full size, one take."""
    wanted = {**variant.settings, **(RANDOM_WEIGHTS if source.random else {})}
    settings = StudioSettings(device=options.device, dtype=options.dtype, **wanted)
    device = pick_device(options.device)
    began = time.perf_counter()
    with memory_errors(variant.plan):
        pipeline = source.pipeline(settings, device)
        stage = dress_stage(
            pipeline,
            source.card,
            settings,
            variant.plan,
            take,
            EmbeddingCache(8),
            lambda: False,
            device,
            encode=source.card.family.random_text if source.random else None,
        )
        stage.shoot(replace(take, steps=WARM_STEPS), Stopwatch(device), lambda: False)
        ready_s = time.perf_counter() - began
        return timed(stage, take, variant, ready_s, device)


def timed(stage: Stage, take: Take, variant: Variant, ready_s: float, device: str) -> Row:
    """Films the take and notes times and memory."""
    peak = 0.0
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats()
    watch = Stopwatch(device)
    stage.shoot(take, watch, lambda: False)
    step_s, encode_s, decode_s, clip_s = watch.times()
    if device.startswith("cuda"):
        peak = torch.cuda.max_memory_allocated() / GIB
    return Row(
        stage.card.folder.name,
        variant.name,
        step_s,
        encode_s,
        decode_s,
        clip_s,
        peak,
        stage.weight_bytes / GIB,
        ready_s,
        evidence="; ".join(stage.evidence.values()),
    )


@dataclass(frozen=True)
class Source:
    """A model to measure, and where its pipelines come from."""

    card: ModelCard
    random: RandomModel | None = None

    def pipeline(self, settings: StudioSettings, device: str) -> Any:
        """A fresh pipeline: written on the device, or loaded into main memory."""
        if self.random is None:
            return load_pipeline(self.card, settings, device)
        return self.random.pipeline(device, pick_dtype(self.card, settings, device))


def sources(options: argparse.Namespace, scratch: Path) -> Iterator[Source]:
    """The models named on the command line."""
    for name in options.random:
        model = RandomModel(name)
        yield Source(model.card(), model)
    for name in options.model:
        yield Source(read_card(name, StudioSettings()))
    for name in options.tiny:
        sys.path.insert(0, "services/videogen/tests/support")
        from tiny_pipelines import make_tiny

        yield Source(read_card(str(make_tiny(name, scratch / name)), StudioSettings()))


def make_take(card: ModelCard, options: argparse.Namespace) -> Take:
    """A take of the model's standard size and longest clip, or what the options say."""
    traits = card.traits
    size = options.size or traits.standard_size
    frames = options.frames or traits.grid.largest
    stills = Stills()
    if traits.needs_start:
        from PIL import Image

        picture = Image.new("RGB", size, (90, 60, 120))
        stills = Stills(start=picture, end=picture if traits.needs_end else None)
    return Take(
        PROMPT,
        NEGATIVE,
        size,
        max(traits.grid.up(frames), traits.grid.smallest),
        float(traits.native_fps or 24),
        options.steps,
        traits.guidance,
        seed=7,
        text_tokens=traits.text_tokens,
        stills=stills,
    )


def rows_of(source: Source, options: argparse.Namespace) -> Iterator[Row]:
    """All variants of one model, each named with what came of it."""
    take = make_take(source.card, options)
    name = source.card.folder.name
    device = pick_device(options.device)
    first = 0.0
    for variant in VARIANTS:
        named = not options.only or any(word in variant.name for word in options.only)
        if not named and variant is not VARIANTS[0]:
            continue
        if variant.gpu_only and device.startswith("cpu"):
            continue
        if options.until and time.monotonic() > options.until:
            yield Row(name, variant.name, failure="no time left")
            continue
        try:
            row = measure(source, variant, take, options)
        except SoundsightError as error:
            yield Row(name, variant.name, failure=error.message)
        except Exception as error:  # a table with a hole says more than none
            reason = (str(error).splitlines() or [""])[0]
            yield Row(name, variant.name, failure=f"{type(error).__name__}: {reason}"[:160])
        else:
            first = first or row.step_s
            yield replace(row, ratio=first / row.step_s if row.step_s else 0.0)
        forget()


def forget() -> None:
    """Makes room for the next row."""
    import torch

    torch._dynamo.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


HEAD = (
    "| feature | s per step | faster | decode s | clip s | peak GiB | weights GiB | ready s | "
    "evidence |\n|---|---|---|---|---|---|---|---|---|"
)


def line(row: Row) -> str:
    """One row of the table."""
    if row.failure:
        return f"| {row.variant} | | | | | | | | {row.failure} |"
    peak = f"{row.peak_gib:.1f}" if row.peak_gib else ""
    return (
        f"| {row.variant} | {row.step_s:.3f} | {row.ratio:.2f} | {row.decode_s:.2f} | "
        f"{row.clip_s:.2f} | {peak} | {row.weights_gib:.2f} | {row.ready_s:.0f} | {row.evidence} |"
    )


def title(source: Source, options: argparse.Namespace) -> str:
    """What was measured on what."""
    import torch

    take = make_take(source.card, options)
    device = pick_device(options.device)
    machine = torch.cuda.get_device_name() if device.startswith("cuda") else "CPU"
    kind = "weights of its own"
    if source.random:
        kind = "random weights, random text in place of the encoder's; caches always reuse"
    return (
        f"\n### {source.card.folder.name}: {take.size[0]}x{take.size[1]}, {take.frames} frames, "
        f"{take.steps} steps, guidance {take.guidance:g}\n\n{machine}, PyTorch "
        f"{torch.__version__}; {kind}.\n"
    )


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", nargs="*", help="model folders")
    parser.add_argument("--random", action="append", default=[], choices=sorted(RANDOM))
    parser.add_argument("--tiny", action="append", default=[], help="a tiny model of the tests")
    parser.add_argument("--size", type=_size, help="such as 832x480")
    parser.add_argument("--frames", type=int, help="frames, rounded up to the model's grid")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--only", action="append", help="variants with this in their name")
    parser.add_argument("--budget-s", type=float, help="seconds after which no row is begun")
    parser.add_argument("--out", type=Path, help="a folder for videogen.md and videogen.json")
    options = parser.parse_args(arguments)
    options.until = time.monotonic() + options.budget_s if options.budget_s else None
    if not (options.model or options.random or options.tiny):
        parser.error("name a model folder, or --random NAME")
    return options


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def main(arguments: list[str]) -> int:
    """Prints the tables as they grow, and keeps them."""
    options = parse(arguments)
    rows: list[Row] = []
    text: list[str] = []

    def say(line_: str) -> None:
        print(line_, flush=True)
        text.append(line_)

    with tempfile.TemporaryDirectory() as scratch:
        for source in sources(options, Path(scratch)):
            say(title(source, options))
            say(HEAD)
            for row in rows_of(source, options):
                rows.append(row)
                say(line(row))
                keep(options.out, rows, text)
    return 0


def keep(folder: Path | None, rows: list[Row], text: list[str]) -> None:
    """Writes what there is so far."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "videogen.md").write_text("\n".join(text) + "\n")
    (folder / "videogen.json").write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
