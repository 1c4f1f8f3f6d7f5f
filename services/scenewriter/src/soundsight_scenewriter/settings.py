"""What the operator of a scene writer can set."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SceneWriterSettings(BaseSettings):
    """Settings of the scene writer, from variables that start with SOUNDSIGHT_SCENEWRITER_."""

    model_config = SettingsConfigDict(
        env_prefix="SOUNDSIGHT_SCENEWRITER_", extra="ignore", frozen=True
    )

    slots: int = Field(2, ge=1, le=64, description="Storyboards written at the same time.")
    queue_limit: int = Field(32, ge=0, le=10_000, description="Storyboards that may wait.")
