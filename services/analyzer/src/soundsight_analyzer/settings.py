"""What the analyzer can be told."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class AnalyzerSettings(BaseSettings):
    """The analyzer's own settings."""

    model_config = SettingsConfigDict(
        env_prefix="SOUNDSIGHT_ANALYZER_", extra="ignore", frozen=True
    )

    slots: int = Field(
        1, ge=1, le=64, description="Songs listened to at the same time, each in its own process."
    )
    queue_limit: int = Field(
        4, ge=0, le=10_000, description="Songs that may wait; more are sent elsewhere."
    )
    max_duration_s: float = Field(
        7200.0, gt=0, le=36_000, allow_inf_nan=False, description="Longest song, in seconds."
    )
    max_input_bytes: int = Field(2 << 30, ge=1, description="Largest song file, in bytes.")
    song_timeout_s: float = Field(
        1800.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that listening to one song may take.",
    )
    worker_memory_bytes: int = Field(
        8 << 30,
        ge=1 << 30,
        description="Memory that one listening process may reserve; TensorFlow reserves far more"
        " than it uses.",
    )
