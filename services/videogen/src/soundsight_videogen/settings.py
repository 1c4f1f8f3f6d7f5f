"""What an operator can tell videogen."""

from __future__ import annotations

import os

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


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
