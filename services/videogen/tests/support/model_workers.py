"""Worker processes that film with tiny models on the CPU, and requests for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from videogen_requests import clip_request

from soundsight.videogen.v1.videogen_pb2 import GenerateClipRequest
from soundsight_videogen.diffusion.renderer import DiffusionRenderer, Hands, film_models
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.supervising.process import Patience

SETTINGS = StudioSettings(device="cpu")
PATIENT = Patience(start_s=120.0, stop_s=60.0, silence_s=170.0)


def model_renderer(
    folder: Path, device: str = "cpu", *, most_denoising_s: float | None = None
) -> DiffusionRenderer:
    """One worker with a model; its denoising steps may take so long."""
    patience = PATIENT
    if most_denoising_s is not None:
        patience = replace(PATIENT, phase_s={"denoise": most_denoising_s})
    models = film_models([str(folder)], SETTINGS)
    return DiffusionRenderer(models, [device], SETTINGS, Hands(patience=patience))


def model_request(key: str, steps: int = 2) -> GenerateClipRequest:
    """A clip that a tiny model films in a moment."""
    asked = clip_request(key, shot_frames=8, handles=(2, 2), size=(64, 64), internal=(32, 32))
    asked.steps = steps
    asked.shot.prompt = "a lighthouse in the fog"
    asked.preview_interval.FromMilliseconds(0)
    return asked
