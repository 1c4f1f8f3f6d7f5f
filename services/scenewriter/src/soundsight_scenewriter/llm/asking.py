"""Asks the model one thing after another, within the tokens and the time that one film may cost."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from soundsight_kit.errors import Unavailable
from soundsight_kit.languagemodel.answers import AnswerT
from soundsight_kit.languagemodel.endpoint import (
    Endpoint,
    Message,
    Sampling,
    Wording,
    estimated_tokens,
)
from soundsight_kit.languagemodel.prompts import Prompts
from soundsight_scenewriter.dice import Dice

WORDING = Wording(
    model="the language model",
    remedy="start it, or set SOUNDSIGHT_SCENEWRITER_LLM_URL, or ask for WRITER_RULES",
    missing="LANGUAGE_MODEL_MISSING",
    busy="LANGUAGE_MODEL_BUSY",
    refused="LANGUAGE_MODEL_REFUSED",
    unfit="LANGUAGE_MODEL_UNFIT",
)

DEFAULT_CONTEXT_TOKENS = 8_192
"""What is taken for the context where neither the settings nor the server say."""
_SPARE_SHARE = 8
"""One part in so many of the context is kept for an answer that goes back with its reason."""
_SEED_MASK = 0x7FFF_FFFF

Hear = Callable[[str], None]


class NoAnswer(Exception):
    """The model gave no usable answer to one question; the message says why."""


class Spent(Exception):
    """Nothing more may be asked for this film; the message says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one film may cost. `until` is a time of the event loop."""

    context_tokens: int = DEFAULT_CONTEXT_TOKENS
    most_tokens: int = 1_000_000
    until: float = math.inf
    temperature: float = 0.7


class Asker:
    """Asks one model for one film."""

    def __init__(self, endpoint: Endpoint, prompts: Prompts, limits: Limits, dice: Dice) -> None:
        self._endpoint = endpoint
        self._prompts = prompts
        self._limits = limits
        self._dice = dice

    @property
    def context_tokens(self) -> int:
        """What a question and its answer may need together."""
        return self._limits.context_tokens

    async def ask(
        self,
        prompt: str,
        values: Mapping[str, str],
        kind: type[AnswerT],
        schema: Mapping[str, Any],
        *,
        step: str,
        answer_tokens: int,
        objection: str = "",
        check: Callable[[AnswerT], None] = lambda _: None,
        hear: Hear | None = None,
    ) -> AnswerT:
        """One answer, streamed to `hear`.

        Args:
            prompt: the prompt's name; `values` fill its slots.
            kind: what the answer is read as, by `schema`.
            step: names the question, so that each is drawn by a seed of its own.
            answer_tokens: room for the answer.
            objection: what was wrong with an earlier answer to the same question.
            check: raises Unfit for an answer that will not do; it is asked for again.
            hear: is told the answer's text as it comes.

        Raises:
            NoAnswer: when no answer would do.
            Spent: when tokens or time are used up.
            Unavailable, FailedPrecondition: as `Endpoint.ask`, when nothing can be asked.
        """
        self._check_budget()
        sampling = Sampling(
            max_tokens=answer_tokens,
            temperature=self._limits.temperature,
            seed=self._dice.child("llm", step, objection).seed63() & _SEED_MASK,
        )
        try:
            async with asyncio.timeout_at(_finite(self._limits.until)):
                return await self._endpoint.ask(
                    self._messages(prompt, values, objection),
                    kind,
                    check,
                    schema=schema,
                    sampling=sampling,
                    hear=hear or _ignore,
                )
        except TimeoutError:
            raise Spent("the time that it may take was up") from None
        except Unavailable as error:
            if error.reason == WORDING.unfit:
                raise NoAnswer(error.message) from None
            raise

    def room(self, prompt: str, values: Mapping[str, str]) -> int:
        """The tokens that are left for an answer to a question."""
        asked = sum(
            estimated_tokens(message["content"]) for message in self._messages(prompt, values, "")
        )
        return self.context_tokens - asked - self.context_tokens // _SPARE_SHARE

    def words_of(self, prompt: str) -> str:
        """A prompt as it is written, with its slots."""
        return self._prompts.fill(prompt)

    def _messages(self, prompt: str, values: Mapping[str, str], objection: str) -> list[Message]:
        asked = self._prompts.fill(prompt, **values)
        return [
            {"role": "system", "content": self._prompts.fill("system")},
            {"role": "user", "content": f"{asked}\n\n{objection}" if objection else asked},
        ]

    def _check_budget(self) -> None:
        if self._endpoint.usage.tokens >= self._limits.most_tokens:
            raise Spent(f"the {self._limits.most_tokens} tokens that it may take were used up")
        if asyncio.get_running_loop().time() >= self._limits.until:
            raise Spent("the time that it may take was up")


def _finite(until: float) -> float | None:
    return None if math.isinf(until) else until


def _ignore(_: str) -> None:
    """Nobody listens; the answer is streamed all the same, so that a dead server is noticed."""
