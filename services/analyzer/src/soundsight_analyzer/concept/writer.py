"""The concept: each window heard, each part's windows joined, all parts merged into one film."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from soundsight_analyzer.concept.answers import Film, Passage, check_film
from soundsight_analyzer.concept.prompting import clock
from soundsight_analyzer.concept.sound import SpeechCopy
from soundsight_analyzer.concept.windows import Part, Window, cut
from soundsight_kit.languagemodel.answers import Unfit, check_text
from soundsight_kit.languagemodel.endpoint import Endpoint, Message
from soundsight_kit.languagemodel.prompts import Prompts

CONFIDENCE = 0.5
"""What a model imagines can be neither right nor wrong: this says no more than that it answered."""
_REPEATED_CONFIDENCE = 0.3
_PARTS_AT_ONCE = 24
_ENGLISH = "English"

Progress = Callable[[int, int], None]
T = TypeVar("T")


@dataclass(frozen=True)
class FilmConcept:
    """A summary of the whole and a text for each part, by its index."""

    summary: str
    parts: tuple[str, ...]
    windows: int
    confidence: float
    warnings: tuple[str, ...] = ()


class ConceptWriter:
    """Has a song heard by an audio language model, at most ``parallel`` requests at a time."""

    def __init__(
        self, endpoint: Endpoint, prompts: Prompts, *, window_s: float, parallel: int
    ) -> None:
        self._endpoint = endpoint
        self._prompts = prompts
        self._window_s = window_s
        self._free = asyncio.Semaphore(parallel)

    async def write(
        self, sound: SpeechCopy, parts: Sequence[Part], language: str, progress: Progress
    ) -> FilmConcept:
        """Writes the concept; raises as `Endpoint.ask` does. Cancelling stops all requests.

        Args:
            sound: the whole song.
            parts: contiguous, at least one, from the song's start to its end.
            language: BCP 47 tag to write in; English when empty.
        """
        run = _Run(self, sound, parts, language or _ENGLISH, progress)
        return await run.concept()

    async def ask(self, prompt: str, check: Callable[[Passage], None], wav: bytes = b"") -> str:
        """One text in answer to a prompt, and to a stretch of sound if there is one."""
        async with self._free:
            answer = await self._endpoint.ask(self._messages(prompt, wav), Passage, check)
        return answer.text

    async def merge(self, prompt: str, numbers: Sequence[int]) -> Film:
        """One film of the parts with these numbers."""
        async with self._free:
            return await self._endpoint.ask(
                self._messages(prompt), Film, lambda film: check_film(film, numbers)
            )

    def fill(self, prompt: str, /, **values: str) -> str:
        return self._prompts.fill(prompt, **values)

    def cut(self, parts: Sequence[Part]) -> tuple[Window, ...]:
        return cut(parts, self._window_s)

    def _messages(self, prompt: str, wav: bytes = b"") -> list[Message]:
        content: list[Message] = [{"type": "text", "text": prompt}]
        if wav:
            data = base64.b64encode(wav).decode()
            audio = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
            content.insert(0, audio)
        return [
            {"role": "system", "content": self._prompts.fill("system")},
            {"role": "user", "content": content},
        ]


class _Run:
    """One song's way through the model."""

    def __init__(
        self,
        writer: ConceptWriter,
        sound: SpeechCopy,
        parts: Sequence[Part],
        language: str,
        progress: Progress,
    ) -> None:
        self._writer = writer
        self._sound = sound
        self._parts = parts
        self._language = language
        self._progress = progress
        self._windows = writer.cut(parts)
        self._texts: set[str] = set()
        self._repeated = 0
        self._done = 0

    async def concept(self) -> FilmConcept:
        self._progress(0, len(self._windows) + 1)
        notes = await _all([self._hear(window) for window in self._windows])
        joined = await _all([self._join(index, notes) for index in range(len(self._parts))])
        film = await self._merge(joined)
        self._progress(len(self._windows) + 1, len(self._windows) + 1)
        warnings = []
        if self._repeated:
            warnings.append(
                f"the concept's model gave the same text for {self._repeated} further windows"
            )
        return FilmConcept(
            summary=film.summary,
            parts=tuple(part.text for part in sorted(film.parts, key=lambda part: part.number)),
            windows=len(self._windows),
            confidence=_REPEATED_CONFIDENCE if self._repeated else CONFIDENCE,
            warnings=tuple(warnings),
        )

    async def _hear(self, window: Window) -> str:
        """What one window tells. Music repeats: a text that comes again is objected to once."""
        part = self._parts[window.part]
        prompt = self._writer.fill(
            "listen",
            start=clock(window.start_s),
            end=clock(window.end_s),
            duration=clock(self._sound.duration_s),
            name=f", its {part.name}" if part.name else "",
            language=self._language,
        )
        objected = False

        def check(passage: Passage) -> None:
            nonlocal objected
            try:
                check_text(passage.text, self._texts)
            except Unfit:
                if objected and passage.text.casefold() in self._texts:
                    self._repeated += 1
                    return
                objected = True
                raise

        wav = await asyncio.to_thread(self._sound.wav, window.start_s, window.end_s)
        text = await self._writer.ask(prompt, check, wav)
        self._texts.add(text.casefold())
        self._done += 1
        self._progress(self._done, len(self._windows) + 1)
        return text

    async def _join(self, index: int, notes: Sequence[str]) -> str:
        """What one part tells, of its windows."""
        own = [
            note for window, note in zip(self._windows, notes, strict=True) if window.part == index
        ]
        if len(own) < 2:
            return "".join(own)
        prompt = self._writer.fill("join", notes="\n\n".join(own), language=self._language)
        return await self._writer.ask(prompt, lambda passage: check_text(passage.text))

    async def _merge(self, texts: Sequence[str]) -> Film:
        """One film of all parts; of many parts, stretch by stretch, then of the stretches."""
        stretches = [
            range(first, min(first + _PARTS_AT_ONCE, len(texts)))
            for first in range(0, len(texts), _PARTS_AT_ONCE)
        ]
        films = await _all([self._merge_stretch(texts, stretch) for stretch in stretches])
        if len(films) == 1:
            return films[0]
        notes = "\n\n".join(film.summary for film in films)
        prompt = self._writer.fill("whole", notes=notes, language=self._language)
        summary = await self._writer.ask(prompt, lambda passage: check_text(passage.text))
        return Film(summary=summary, parts=[part for film in films for part in film.parts])

    async def _merge_stretch(self, texts: Sequence[str], stretch: range) -> Film:
        notes = "\n\n".join(
            f"Part {index}{self._named(index)}: {texts[index]}" for index in stretch
        )
        prompt = self._writer.fill("merge", notes=notes, language=self._language)
        return await self._writer.merge(prompt, list(stretch))

    def _named(self, index: int) -> str:
        name = self._parts[index].name
        return f" ({name})" if name else ""


async def _all(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; the first failure ends the rest and is raised as it is."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
