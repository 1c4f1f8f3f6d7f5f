"""A client of an endpoint that speaks OpenAI's chat completions, such as vLLM.

What may pass is tried again with growing pauses, as long as the endpoint asks when it asks; an
answer that will not do goes back to the model with the reason. Whoever cancels the task that asks
stops the request with it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from soundsight_kit.errors import FailedPrecondition, SoundsightError, Unavailable
from soundsight_kit.languagemodel.answers import Answer, AnswerT, Unfit, parse
from soundsight_kit.pauses import growing_s
from soundsight_kit.retryafter import retry_after_s

if TYPE_CHECKING:
    from openai import AsyncOpenAI

log = structlog.get_logger()

Message = dict[str, Any]

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_LONGEST_ASKED_S = 60.0
"""Whoever asks for a longer pause is not waited for: the caller is told when to come back."""
_PASSING = frozenset({408, 409, 425, 429})
_NOT_ALLOWED = frozenset({401, 403})
_CHECK_TIMEOUT_S = 10.0
_NO_KEY = "none"
_QUOTED_CHARACTERS = 2_000
"""So much of an answer that will not do is shown to the model again."""
_BYTES_PER_TOKEN = 3.5


@dataclass(frozen=True)
class EndpointSettings:
    """Where the model answers. ``request_timeout_s`` bounds one request, ``attempts`` its tries."""

    url: str
    model: str
    api_key: str = ""
    request_timeout_s: float = 120.0
    attempts: int = 4


@dataclass(frozen=True)
class Wording:
    """How errors speak of the model: its name in a sentence, what to do without it, and reasons."""

    model: str
    remedy: str
    missing: str
    busy: str
    refused: str
    unfit: str


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn."""

    max_tokens: int = 4_000
    temperature: float = 0.0
    seed: int = 0


@dataclass
class Usage:
    """What was asked so far. Tokens are the server's count, or an estimate where it gives none."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class _Said:
    """One answer as it came."""

    content: str
    cut_off: bool = False


class Endpoint:
    """One model behind one endpoint. Use it as an async context manager."""

    def __init__(self, settings: EndpointSettings, wording: Wording) -> None:
        self._settings = settings
        self._wording = wording
        self._client = _client(settings)
        self.usage = Usage()

    async def __aenter__(self) -> Endpoint:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def check(self) -> int:
        """Finds out whether anything answers, before work is put into a song.

        Returns the tokens that the model's context holds, as vLLM says; 0 when nothing is said.

        Raises as `ask` does when there is nothing, or it does not let us in.
        """
        import openai

        try:
            listed = await self._client.models.list(timeout=_CHECK_TIMEOUT_S)
        except openai.APIStatusError as error:
            # A server without that list may still complete chats.
            if error.status_code in _NOT_ALLOWED:
                raise self._refused(error.status_code, error.message) from None
        except openai.APIConnectionError:
            raise self._missing() from None
        except (openai.APIError, ValueError):
            return 0
        else:
            for model in getattr(listed, "data", None) or []:
                if model.id == self._settings.model:
                    return int(getattr(model, "max_model_len", 0) or 0)
        return 0

    async def ask(
        self,
        messages: Sequence[Message],
        kind: type[AnswerT],
        check: Callable[[AnswerT], None] = lambda _: None,
        *,
        schema: Mapping[str, Any] | None = None,
        sampling: Sampling | None = None,
        hear: Callable[[str], None] | None = None,
    ) -> AnswerT:
        """Asks until an answer passes ``check``, which raises Unfit for one that does not.

        Args:
            messages: the talk so far, the question last.
            kind: what the answer is read as.
            check: looks at an answer.
            schema: the JSON schema sent along, where it is stricter than that of ``kind``.
            sampling: how the answer is drawn.
            hear: is told the text so far while the answer comes in; without it nothing is streamed.

        Raises:
            Unavailable: with the wording's reasons `missing` when nothing answers, `busy` when it
                sends us away, `unfit` when no answer will do.
            FailedPrecondition: `refused` when it does not take such requests.
        """
        talk = list(messages)
        last: SoundsightError | None = None
        for attempt in range(self._settings.attempts):
            if last is not None:
                log.info(f"asking {self._wording.model} again", reason=last.reason)
                if last.reason != self._wording.unfit:
                    await asyncio.sleep(_pause_s(attempt, last.retry_after_s))
            try:
                said = await self._complete(
                    talk, kind, schema or kind.model_json_schema(), sampling or Sampling(), hear
                )
            except Unavailable as error:
                if (error.retry_after_s or 0.0) > _LONGEST_ASKED_S:
                    raise
                last = error
                continue
            try:
                if said.cut_off:
                    raise Unfit("the answer was too long and was cut off; say it in fewer words")
                answer = parse(kind, said.content)
                check(answer)
                return answer
            except Unfit as unfit:
                last = Unavailable(
                    f"{self._wording.model} gave no usable answer: {unfit}",
                    reason=self._wording.unfit,
                )
                talk = [*messages, *_objection(said.content, str(unfit))]
        assert last is not None
        raise last

    async def _complete(
        self,
        messages: Sequence[Message],
        kind: type[Answer],
        schema: Mapping[str, Any],
        sampling: Sampling,
        hear: Callable[[str], None] | None,
    ) -> _Said:
        """One request; what is no answer of the API, such as a proxy's page, says nothing."""
        import openai

        wanted = {"name": kind.__name__.lower(), "schema": dict(schema), "strict": True}
        request: dict[str, Any] = {
            "model": self._settings.model,
            "messages": list(messages),
            "response_format": {"type": "json_schema", "json_schema": wanted},
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
        }
        self.usage.requests += 1
        try:
            # The library's own timeout is one between bytes: a trickle would never end.
            async with asyncio.timeout(self._settings.request_timeout_s):
                if hear is None:
                    return await self._completed(request)
                return await self._streamed(request, hear)
        except openai.APIStatusError as error:
            raise self._status_error(error) from None
        except (openai.APITimeoutError, TimeoutError):
            raise Unavailable(
                f"{self._wording.model} took over {self._settings.request_timeout_s:g} s",
                reason=self._wording.busy,
            ) from None
        except openai.APIConnectionError:
            raise self._missing() from None
        except (openai.APIError, ValueError):
            return _Said("")

    async def _completed(self, request: dict[str, Any]) -> _Said:
        complete: Any = self._client.chat.completions.create
        completion = await complete(**request)
        choices = getattr(completion, "choices", None) or []
        content = (choices[0].message.content or "") if choices else ""
        self._count(request, content, getattr(completion, "usage", None))
        return _Said(content, bool(choices) and choices[0].finish_reason == "length")

    async def _streamed(self, request: dict[str, Any], hear: Callable[[str], None]) -> _Said:
        complete: Any = self._client.chat.completions.create
        content, cut_off, usage = "", False, None
        streaming = {"stream": True, "stream_options": {"include_usage": True}}
        async with await complete(**request, **streaming) as stream:
            async for chunk in stream:
                usage = getattr(chunk, "usage", None) or usage
                for choice in (getattr(chunk, "choices", None) or [])[:1]:
                    if choice.delta.content:
                        content += choice.delta.content
                        hear(content)
                    cut_off = cut_off or choice.finish_reason == "length"
        self._count(request, content, usage)
        return _Said(content, cut_off)

    def _count(self, request: Mapping[str, Any], content: str, usage: Any) -> None:
        asked = getattr(usage, "prompt_tokens", None)
        told = getattr(usage, "completion_tokens", None)
        texts = "".join(str(message["content"]) for message in request["messages"])
        self.usage.prompt_tokens += estimated_tokens(texts) if asked is None else asked
        self.usage.completion_tokens += estimated_tokens(content) if told is None else told

    def _status_error(self, error: Any) -> SoundsightError:
        status = int(error.status_code)
        if status in _PASSING or status >= 500:
            return Unavailable(
                f"the endpoint of {self._wording.model} is busy or broken (HTTP {status})",
                reason=self._wording.busy,
                retry_after_s=retry_after_s(error.response.headers.get("retry-after")),
            )
        return self._refused(status, error.message)

    def _refused(self, status: int, message: str) -> FailedPrecondition:
        return FailedPrecondition(
            f"the endpoint of {self._wording.model} refuses the request (HTTP {status}): "
            f"{message[:200]}",
            reason=self._wording.refused,
        )

    def _missing(self) -> Unavailable:
        return Unavailable(
            f"{self._wording.model} does not answer at {self._settings.url}; "
            f"{self._wording.remedy}",
            reason=self._wording.missing,
        )


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has: a little more than most tokenizers make of English."""
    return int(len(text.encode()) / _BYTES_PER_TOKEN) + 1


def _client(settings: EndpointSettings) -> AsyncOpenAI:
    from openai import AsyncOpenAI

    return AsyncOpenAI(
        base_url=settings.url,
        # Without one the library would take a key that is meant for somebody else.
        api_key=settings.api_key or _NO_KEY,
        timeout=settings.request_timeout_s,
        # Tries are counted here, where the reason of each is known.
        max_retries=0,
    )


def _objection(content: str, reason: str) -> list[Message]:
    """What the model is told of an answer that will not do."""
    said: list[Message] = []
    if content:
        said = [{"role": "assistant", "content": content[:_QUOTED_CHARACTERS]}]
    return [*said, {"role": "user", "content": f"That will not do: {reason}. Answer again."}]


def _pause_s(attempt: int, asked_s: float | None) -> float:
    """How long to wait before an attempt: what was asked for, or twice as long each time."""
    if asked_s is not None:
        return asked_s
    pause_s = growing_s(attempt, first_s=_FIRST_PAUSE_S, most_s=_LONGEST_PAUSE_S)
    return pause_s * random.uniform(0.75, 1.25)
