"""What the operator of a composer can set."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ComposerSettings(BaseSettings):
    """Settings of the composer, from variables that start with SOUNDSIGHT_COMPOSER_."""

    model_config = SettingsConfigDict(
        env_prefix="SOUNDSIGHT_COMPOSER_", extra="ignore", frozen=True
    )

    slots: int = Field(1, ge=1, le=64, description="Compositions worked on at the same time.")
    queue_limit: int = Field(8, ge=0, le=10_000, description="Compositions that may wait.")
    max_clips: int = Field(10_000, ge=1, description="Most clips of one composition.")
    fetches: int = Field(4, ge=1, le=64, description="Files fetched at the same time.")
    step_timeout_s: float = Field(
        3600.0, gt=0, allow_inf_nan=False, description="Longest time of one step, such as joining."
    )
    memory_mib: int = Field(
        4096, ge=512, description="Address space of one helper process, in MiB."
    )
