"""What an operator can tell videogen."""

from __future__ import annotations

import os
import re
from typing import Annotated

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from soundsight_videogen.diffusion.settings import StudioSettings

_DEVICES = re.compile(r"auto|cpu([,+]cpu)*|\d+([,+]\d+)*")


def default_slots() -> int:
    """One slot for every core up to four, then for every two: a worker holds some 350 MiB.

    Measured on two cores: two clips of one thread each are filmed a fifth faster than one after the
    other by both, whose painting waits for its encoding.
    """
    cores = len(os.sched_getaffinity(0))
    return max(min(cores, 4), cores // 2)


class VideoGenSettings(BaseSettings):
    """Settings of the videogen service."""

    model_config = SettingsConfigDict(
        env_prefix="SOUNDSIGHT_VIDEOGEN_", extra="ignore", frozen=True
    )

    slots: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Clips filmed at a time, each by a worker process of its own; when empty, one"
        " for every core up to four, then for every two.",
    )
    queue_limit: int = Field(
        2,
        ge=0,
        le=1000,
        description="Clips that may wait for a slot; beyond that callers are sent away with"
        " RESOURCE_EXHAUSTED.",
    )
    retry_after_s: float = Field(
        5.0,
        gt=0,
        le=600,
        allow_inf_nan=False,
        description="Seconds after which a caller who was sent away should try again.",
    )
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Diffusion models to film with, separated by commas, the first unless a request"
        " names another: folders in diffusers' layout, or ids of the Hugging Face hub. Empty: the"
        " built-in renderer.",
    )
    devices: str = Field(
        "auto",
        description="Where models run, one worker for each: `auto` (every GPU, or the CPU where"
        " there is none), `cpu`, or CUDA devices such as `0,1`; `0+1` films each clip on both.",
    )
    memory_gib: float = Field(
        0.0,
        ge=0,
        le=4096,
        allow_inf_nan=False,
        description="What weights may take of a device's memory, in GiB, where several models share"
        " it; the least recently used go. 0: DIFFUSION_RESIDENT_MODELS alone decides.",
    )
    load_timeout_s: float = Field(
        1800.0,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds that loading a model may take before its worker counts as hung.",
    )
    step_timeout_s: float = Field(
        600.0,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds without a denoising step, or another sign of progress, after which a"
        " worker counts as hung and is replaced.",
    )
    stop_timeout_s: float = Field(
        30.0,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="Seconds that a cancelled clip's worker gets to come to the end of its step"
        " before it is killed, and its model with it.",
    )
    workers_a_clip: int = Field(
        2,
        ge=1,
        le=10,
        description="Workers that may be lost to one clip before it is reported as failed.",
    )
    stint_s: float = Field(
        600.0,
        ge=0,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds that a device stays with a model while clips of it wait, before"
        " another model's clips may take it over.",
    )
    remote_url: str = Field(
        "",
        description="A server that films instead: the base URL of an OpenAI-style videos API, such"
        " as http://gpu-box:8091/v1.",
    )
    remote_model: str = Field("", description="The model that the remote server is asked for.")
    remote_key: SecretStr | None = Field(None, description="API key of the remote server.")
    remote_revision: str = Field(
        "", description="Revision of the remote model: change it when the model changes."
    )
    remote_licence: str = Field("", description="SPDX identifier of the remote model's licence.")
    remote_sizes: Annotated[tuple[str, ...], NoDecode] = Field(
        ("1280x720", "720x1280"),
        description="Picture sizes that the remote model makes, best first, separated by commas.",
    )
    remote_fps: int = Field(
        24, ge=1, le=120, description="Frame rate at which the remote model films."
    )
    remote_frame_step: int = Field(
        1,
        ge=1,
        le=64,
        description="The remote model's frame counts are this times k plus REMOTE_FRAME_OFFSET.",
    )
    remote_frame_offset: int = Field(0, ge=0, le=64, description="See REMOTE_FRAME_STEP.")
    remote_max_frames: int = Field(
        240, ge=1, le=10_000, description="Most frames that the remote model makes at a time."
    )
    remote_timeout_s: float = Field(
        3600.0,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds after which a remote clip counts as failed.",
    )
    remote_poll_s: float = Field(
        2.0,
        gt=0,
        le=60,
        allow_inf_nan=False,
        description="Seconds between two questions about a remote clip.",
    )

    @field_validator("models", "remote_sizes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("devices")
    @classmethod
    def _are_devices(cls, value: str) -> str:
        if not _DEVICES.fullmatch(value):
            raise ValueError("takes auto, cpu, or numbers such as 0,1 or 0+1,2+3")
        if len({group.count("+") for group in value.split(",")}) > 1:
            raise ValueError("takes groups of one size, such as 0+1,2+3")
        return value

    @field_validator("remote_url")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("takes http://host:port/v1 or https://host/v1")
        return value

    @field_validator("remote_sizes")
    @classmethod
    def _are_sizes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not all(re.fullmatch(r"[1-9]\d{1,4}x[1-9]\d{1,4}", size) for size in value):
            raise ValueError("takes sizes such as 1280x720,720x1280")
        return value

    @model_validator(mode="after")
    def _one_backend(self) -> VideoGenSettings:
        if self.models and self.remote_url:
            raise ValueError("MODELS and REMOTE_URL exclude each other: set one of them")
        return self


class DiffusionSettings(StudioSettings):
    """Settings of the models that videogen runs itself."""
