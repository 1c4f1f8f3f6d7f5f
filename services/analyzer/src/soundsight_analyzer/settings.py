"""What the analyzer can be told."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from soundsight_analyzer.concept.prompting import NAMES as PROMPT_NAMES
from soundsight_analyzer.words.whisper import WEIGHTS as WHISPER_WEIGHTS
from soundsight_kit.languagemodel.prompts import missing_prompt


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
        description="Address space that one listening process may reserve, which is more than it"
        " uses; a model on a GPU is not held to it.",
    )
    models_dir: Path | None = Field(
        None,
        description="Folder in which models given by a plain name are looked for. A checkpoint"
        " beat_this*.ckpt in it hears beats instead of the built-in network. Needs the extra"
        " [beat-this].",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="Where PyTorch models run: auto (a GPU if there is one), cpu, cuda or cuda:1.",
    )
    clap_model: str = Field(
        "",
        description="CLAP model that adds labels for style, content and emotion: a folder, the name"
        " of one in models_dir, or a hub id such as laion/larger_clap_music; empty: none. Needs the"
        " extra [clap] (`make setup-torch`). Weights are read as safetensors alone.",
    )
    clap_revision: str = Field(
        "", description="Revision of a clap_model from the hub; empty: its main branch."
    )
    label_dir: Path | None = Field(
        None,
        description="Folder with style.txt, content.txt and emotion.txt: the labels that CLAP"
        " chooses from instead of the analyzer's own.",
    )
    whisper_model: str = Field(
        "",
        description="Whisper model for ctranslate2 that aligns lyrics and transcribes: a folder, or"
        " the name of one in models_dir, such as whisper-base; empty: none. Needs the extra"
        " [lyrics].",
    )
    concept_url: str = Field(
        "",
        description="OpenAI-compatible endpoint of an audio language model that writes the concept,"
        " such as http://gpu:8000/v1; empty: no concept is offered.",
    )
    concept_model: str = Field(
        "", description="Name of the model there, such as Qwen/Qwen2-Audio-7B-Instruct."
    )
    concept_api_key: SecretStr | None = Field(None, description="Key for that endpoint.")
    concept_window_s: float = Field(
        0.0,
        ge=0,
        le=7200,
        allow_inf_nan=False,
        description="Seconds of sound that the model hears at a time; 0: what is known of it (240"
        " for Qwen2.5-Omni), 30 otherwise.",
    )
    concept_timeout_s: float = Field(
        900.0, gt=0, allow_inf_nan=False, description="Seconds that one song's concept may take."
    )
    concept_request_timeout_s: float = Field(
        120.0, gt=0, allow_inf_nan=False, description="Seconds that one answer may take."
    )
    concept_attempts: int = Field(
        4, ge=1, le=20, description="Tries per answer, bad answers and busy endpoints included."
    )
    concept_parallel: int = Field(
        4, ge=1, le=64, description="Requests sent to the endpoint at the same time, per song."
    )
    concept_prompts: Path | None = Field(
        None,
        description="Folder with system.md, listen.md, join.md, merge.md and whole.md: the prompts"
        " used instead of the analyzer's own.",
    )

    @property
    def whisper_folder(self) -> Path | None:
        """The folder of the Whisper model; None without one."""
        return _whisper_folder(self.whisper_model, self.models_dir)

    @field_validator("concept_url")
    @classmethod
    def _concept_url_is_http(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
            raise ValueError("must start with http:// or https:// and name a host")
        return value

    @field_validator("concept_prompts")
    @classmethod
    def _prompts_are_whole(cls, value: Path | None) -> Path | None:
        if value is not None:
            missing = missing_prompt(value, PROMPT_NAMES)
            if missing:
                raise ValueError(f"the folder has no {missing}")
        return value

    @model_validator(mode="after")
    def _models_are_there(self) -> AnalyzerSettings:
        if self.concept_url and not self.concept_model:
            raise ValueError("CONCEPT_URL needs CONCEPT_MODEL: the name of the model served there")
        folder = self.whisper_folder
        if folder is not None and not (folder / WHISPER_WEIGHTS).is_file():
            raise ValueError(f"WHISPER_MODEL: {folder} holds no {WHISPER_WEIGHTS} of ctranslate2")
        if folder is not None and find_spec("faster_whisper") is None:
            raise ValueError("WHISPER_MODEL needs `pip install soundsight-analyzer[lyrics]`")
        return self


def _whisper_folder(name: str, models_dir: Path | None) -> Path | None:
    if not name:
        return None
    if models_dir is not None and "/" not in name:
        folders = [models_dir / f"{prefix}{name}" for prefix in ("", "whisper-", "faster-whisper-")]
        found = next((folder for folder in folders if folder.is_dir()), None)
        if found is not None:
            return found
    return Path(name)
