"""An audio language model by a script: it decodes the sound that it is sent, as a real one does."""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from soundsight_kit import testing_languagemodel
from soundsight_kit.testing_languagemodel import Reply, says, serving_model

__all__ = ["MODEL", "Heard", "Reply", "ScriptedModel", "says", "scripted_model", "sound_of"]

MODEL = "scripted/qwen2-audio"


@dataclass(frozen=True)
class Heard:
    """One stretch of sound that came in."""

    rate_hz: int
    channels: int
    seconds: float
    rms: float
    prompt: str


@dataclass
class ScriptedModel(testing_languagemodel.ScriptedModel):
    """What the server was sent and heard, and its script."""

    heard: list[Heard] = field(default_factory=list)

    def answer(self, body: dict[str, Any]) -> Reply:
        """A good answer: JSON by the schema that was asked for."""
        name = body["response_format"]["json_schema"]["name"]
        count = len(self.requests)
        if name == "passage":
            return says(json.dumps({"text": f"A street at dusk, number {count}."}))
        prompt = str(body["messages"])
        numbers = [n for n in range(1000) if f"Part {n}:" in prompt or f"Part {n} (" in prompt]
        parts = [{"number": n, "text": f"Part {n} goes on."} for n in numbers]
        return says(json.dumps({"summary": "A day in a town.", "parts": parts}))

    def take(self, body: dict[str, Any]) -> Reply:
        """What a chat request is answered with."""
        sound = sound_of(body)
        if sound is not None:
            with self.lock:
                self.heard.append(sound)
        return super().take(body)


def sound_of(body: dict[str, Any]) -> Heard | None:
    """The sound in a request, decoded; None when there is none."""
    for message in body["messages"]:
        if isinstance(message["content"], str):
            continue
        text = " ".join(part.get("text", "") for part in message["content"])
        for part in message["content"]:
            if part["type"] == "input_audio":
                assert part["input_audio"]["format"] == "wav"
                data = base64.b64decode(part["input_audio"]["data"], validate=True)
                with wave.open(io.BytesIO(data)) as reader:
                    frames = reader.readframes(reader.getnframes())
                    samples = np.frombuffer(frames, dtype="<i2").astype(np.float64)
                    return Heard(
                        rate_hz=reader.getframerate(),
                        channels=reader.getnchannels(),
                        seconds=reader.getnframes() / reader.getframerate(),
                        rms=float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0,
                        prompt=text,
                    )
    return None


@contextmanager
def scripted_model() -> Iterator[ScriptedModel]:
    """A running server on the loopback interface."""
    model = ScriptedModel(name=MODEL)
    with serving_model(model):
        yield model
