"""What the operator of a scene writer can set."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from soundsight_kit.languagemodel.prompts import missing_prompt
from soundsight_scenewriter.llm.prompting import NAMES as PROMPT_NAMES

_HTTP = re.compile(r"https?://[^\s/]+(/\S*)?")


class SceneWriterSettings(BaseSettings):
    """Settings of the scene writer, from variables that start with SOUNDSIGHT_SCENEWRITER_."""

    model_config = SettingsConfigDict(
        env_prefix="SOUNDSIGHT_SCENEWRITER_", extra="ignore", frozen=True
    )

    slots: int = Field(2, ge=1, le=64, description="Storyboards written at the same time.")
    queue_limit: int = Field(32, ge=0, le=10_000, description="Storyboards that may wait.")
    llm_url: str = Field(
        "",
        description="OpenAI-compatible endpoint of a language model that writes the scenes, such as"
        " http://gpu:8000/v1; empty: the rules write. Needs the extra [llm].",
    )
    llm_model: str = Field(
        "", description="Name of the model there, such as Qwen/Qwen3-8B; needed with LLM_URL."
    )
    llm_api_key: SecretStr | None = Field(None, description="Key for that endpoint.")
    llm_context_tokens: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="Tokens that the model's context holds, at least 2048; 0: what the server says"
        " (vLLM does), 8192 otherwise. Shots are asked for in portions that fit.",
    )
    llm_most_tokens: int = Field(
        1_000_000,
        ge=1,
        description="Tokens, read and written, that one storyboard may take; the rules write what"
        " is left.",
    )
    llm_timeout_s: float = Field(
        900.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that the model may take for one storyboard, or less where the caller"
        " waits less; the rules write what is left.",
    )
    llm_request_timeout_s: float = Field(
        180.0, gt=0, allow_inf_nan=False, description="Seconds that one answer may take."
    )
    llm_attempts: int = Field(
        3, ge=1, le=20, description="Tries per answer, bad answers and busy endpoints included."
    )
    llm_temperature: float = Field(
        0.7, ge=0, le=2, allow_inf_nan=False, description="How freely the model chooses its words."
    )
    llm_prompts: Path | None = Field(
        None,
        description="Folder with system.md, treatment.md, arc.md, shots.md and rewrite.md: the"
        " prompts used instead of the scene writer's own.",
    )
    moderation_url: str = Field(
        "",
        description="Endpoint that speaks OpenAI's moderations and sees every prompt before it is"
        " filmed, whoever writes, such as http://moderation:8000/v1; empty: nothing is sent"
        " anywhere. Needs the extra [llm].",
    )
    moderation_model: str = Field("", description="Name of the model there; empty: the server's.")
    moderation_api_key: SecretStr | None = Field(None, description="Key for that endpoint.")

    @field_validator("llm_url", "moderation_url")
    @classmethod
    def _urls_are_http(cls, value: str) -> str:
        if value and not _HTTP.fullmatch(value):
            raise ValueError("must start with http:// or https:// and name a host")
        return value

    @field_validator("llm_context_tokens")
    @classmethod
    def _context_holds_a_question(cls, value: int) -> int:
        if 0 < value < 2048:
            raise ValueError("must be 0 or at least 2048: a question and its answer need that much")
        return value

    @field_validator("llm_prompts")
    @classmethod
    def _prompts_are_whole(cls, value: Path | None) -> Path | None:
        if value is not None:
            missing = missing_prompt(value, PROMPT_NAMES)
            if missing:
                raise ValueError(f"the folder has no {missing}")
        return value

    @model_validator(mode="after")
    def _models_can_be_asked(self) -> SceneWriterSettings:
        if self.llm_url and not self.llm_model:
            raise ValueError("LLM_URL needs LLM_MODEL: the name of the model served there")
        for name, url in (("LLM_URL", self.llm_url), ("MODERATION_URL", self.moderation_url)):
            if url and find_spec("openai") is None:
                raise ValueError(f"{name} needs `pip install soundsight-scenewriter[llm]`")
        return self
