"""A client of an endpoint that speaks OpenAI's chat completions, such as vLLM.

What may pass is tried again with growing pauses, as long as the endpoint asks when it asks; an
answer that will not do goes back to the model with the reason. Whoever cancels the task that asks
stops the request with it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from soundsight_analyzer.concept.answers import Answer, Unfit, parse
from soundsight_kit.errors import FailedPrecondition, SoundsightError, Unavailable

if TYPE_CHECKING:
    from openai import AsyncOpenAI

log = structlog.get_logger()

AnswerT = TypeVar("AnswerT", bound=Answer)
Message = dict[str, Any]

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_LONGEST_ASKED_S = 60.0
"""Whoever asks for a longer pause is not waited for: the caller is told when to come back."""
_PASSING = frozenset({408, 409, 425, 429})
_NOT_ALLOWED = frozenset({401, 403})
_MOST_TOKENS = 4_000
_CHECK_TIMEOUT_S = 10.0
_NO_KEY = "none"
_UNFIT = "CONCEPT_ANSWER_UNFIT"


@dataclass(frozen=True)
class EndpointSettings:
    """Where the model answers. ``request_timeout_s`` bounds one request, ``attempts`` its tries."""

    url: str
    model: str
    api_key: str = ""
    request_timeout_s: float = 120.0
    attempts: int = 4


class Endpoint:
    """One model behind one endpoint. Use it as an async context manager."""

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        self._client = _client(settings)

    async def __aenter__(self) -> Endpoint:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def check(self) -> None:
        """Finds out whether anything answers, before work is put into a song.

        Raises as `ask` does when there is nothing, or it does not let us in.
        """
        import openai

        try:
            await self._client.models.list(timeout=_CHECK_TIMEOUT_S)
        except openai.APIStatusError as error:
            # A server without that list may still complete chats.
            if error.status_code in _NOT_ALLOWED:
                raise _refused(error.status_code, error.message) from None
        except openai.APIConnectionError:
            raise self._missing() from None

    async def ask(
        self,
        messages: Sequence[Message],
        kind: type[AnswerT],
        check: Callable[[AnswerT], None] = lambda _: None,
    ) -> AnswerT:
        """Asks until an answer passes ``check``, which raises Unfit for one that does not.

        Raises:
            Unavailable: CONCEPT_ENDPOINT_MISSING when nothing answers, CONCEPT_ENDPOINT_BUSY when
                it sends us away, CONCEPT_ANSWER_UNFIT when no answer will do.
            FailedPrecondition: CONCEPT_ENDPOINT_REFUSED when it does not take such requests.
        """
        talk = list(messages)
        last: SoundsightError | None = None
        for attempt in range(self._settings.attempts):
            if last is not None:
                log.info("asking the audio language model again", reason=last.reason)
                if last.reason != _UNFIT:
                    await asyncio.sleep(_pause_s(attempt, last.retry_after_s))
            try:
                content = await self._complete(talk, kind)
            except Unavailable as error:
                if (error.retry_after_s or 0.0) > _LONGEST_ASKED_S:
                    raise
                last = error
                continue
            try:
                answer: AnswerT = parse(kind, content)
                check(answer)
                return answer
            except Unfit as unfit:
                last = Unavailable(
                    f"the audio language model gave no usable answer: {unfit}",
                    reason=_UNFIT,
                )
                talk = [*messages, *_objection(content, str(unfit))]
        assert last is not None
        raise last

    async def _complete(self, messages: Sequence[Message], kind: type[Answer]) -> str:
        """One request; returns the content of the answer."""
        import openai

        schema = {"name": kind.__name__.lower(), "schema": kind.model_json_schema(), "strict": True}
        complete: Any = self._client.chat.completions.create
        try:
            completion = await complete(
                model=self._settings.model,
                messages=list(messages),
                response_format={"type": "json_schema", "json_schema": schema},
                max_tokens=_MOST_TOKENS,
                temperature=0.0,
                seed=0,
            )
        except openai.APIStatusError as error:
            raise _status_error(error) from None
        except openai.APITimeoutError:
            raise Unavailable(
                f"the audio language model took over {self._settings.request_timeout_s:g} s",
                reason="CONCEPT_ENDPOINT_BUSY",
            ) from None
        except openai.APIConnectionError:
            raise self._missing() from None
        except (openai.APIError, ValueError):
            # What came was no answer of the API, such as a proxy's page.
            return ""
        choices = getattr(completion, "choices", None) or []
        return (choices[0].message.content or "") if choices else ""

    def _missing(self) -> Unavailable:
        return Unavailable(
            f"no audio language model answers at {self._settings.url}; start it, or set "
            "SOUNDSIGHT_ANALYZER_CONCEPT_URL, or ask without the concept",
            reason="CONCEPT_ENDPOINT_MISSING",
        )


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
    said: list[Message] = [{"role": "assistant", "content": content[:2_000]}] if content else []
    return [*said, {"role": "user", "content": f"That will not do: {reason}. Answer again."}]


def _status_error(error: Any) -> SoundsightError:
    status = int(error.status_code)
    if status in _PASSING or status >= 500:
        return Unavailable(
            f"the audio language model's endpoint is busy or broken (HTTP {status})",
            reason="CONCEPT_ENDPOINT_BUSY",
            retry_after_s=_retry_after_s(error.response.headers.get("retry-after")),
        )
    return _refused(status, error.message)


def _refused(status: int, message: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"the audio language model's endpoint refuses the request (HTTP {status}): {message[:200]}",
        reason="CONCEPT_ENDPOINT_REFUSED",
    )


def _retry_after_s(value: str | None) -> float | None:
    """Seconds in a Retry-After header (RFC 9110, 10.2.3); None when there is none."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _pause_s(attempt: int, asked_s: float | None) -> float:
    """How long to wait before an attempt: what was asked for, or twice as long each time."""
    if asked_s is not None:
        return asked_s
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25)
