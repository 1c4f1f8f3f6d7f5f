"""From an analysed song to its concept: what the server runs after the listening process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from soundsight_analyzer.concept.models import window_limit_s
from soundsight_analyzer.concept.prompting import read_prompts
from soundsight_analyzer.concept.sound import SpeechCopy, copy_for_speech
from soundsight_analyzer.concept.windows import Part, parts_of
from soundsight_analyzer.concept.writer import ConceptWriter, FilmConcept
from soundsight_kit.errors import DeadlineExceeded
from soundsight_kit.languagemodel.endpoint import Endpoint, EndpointSettings, Wording

if TYPE_CHECKING:
    from soundsight_analyzer.settings import AnalyzerSettings

WORDING = Wording(
    model="the audio language model",
    remedy="start it, or set SOUNDSIGHT_ANALYZER_CONCEPT_URL, or ask without the concept",
    missing="CONCEPT_ENDPOINT_MISSING",
    busy="CONCEPT_ENDPOINT_BUSY",
    refused="CONCEPT_ENDPOINT_REFUSED",
    unfit="CONCEPT_ANSWER_UNFIT",
)


class ConceptPipeline:
    """Writes concepts with the model that the settings name."""

    def __init__(self, settings: AnalyzerSettings) -> None:
        """Reads the prompts; raises FileNotFoundError when one is missing."""
        key = settings.concept_api_key
        self._endpoint = EndpointSettings(
            url=settings.concept_url,
            model=settings.concept_model,
            api_key=key.get_secret_value() if key else "",
            request_timeout_s=settings.concept_request_timeout_s,
            attempts=settings.concept_attempts,
        )
        self._prompts = read_prompts(settings.concept_prompts)
        self._timeout_s = settings.concept_timeout_s
        self._parallel = settings.concept_parallel
        self._window_s = window_limit_s(settings.concept_model, settings.concept_window_s)

    def source(self, windows: int) -> str:
        """What a concept's evidence names."""
        return (
            f"{self._endpoint.model} prompts@{self._prompts.version}, {windows} windows of at most "
            f"{self._window_s:g} s"
        )

    async def check(self) -> None:
        """Raises as `Endpoint.check` when no model can be asked."""
        async with Endpoint(self._endpoint, WORDING) as endpoint:
            await endpoint.check()

    async def write(
        self,
        song: Path,
        sections: Sequence[Part],
        language: str,
        folder: Path,
        progress: Callable[[int, int], None],
    ) -> tuple[FilmConcept, tuple[Part, ...]]:
        """Writes the concept of a canonical song; also returns the parts that its texts are of.

        Raises:
            DeadlineExceeded: CONCEPT_TOO_SLOW when it takes longer than the settings allow.
            Unavailable, FailedPrecondition: as `Endpoint.ask`.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                sound = await _speech_copy(song, folder / "speech.pcm")
                parts = parts_of(sections, sound.duration_s)
                async with Endpoint(self._endpoint, WORDING) as endpoint:
                    writer = ConceptWriter(
                        endpoint,
                        self._prompts,
                        window_s=self._window_s,
                        parallel=self._parallel,
                    )
                    return await writer.write(sound, parts, language, progress), parts
        except TimeoutError:
            raise DeadlineExceeded(
                f"the concept took longer than {self._timeout_s:g} s; send a shorter song or ask "
                "without it",
                reason="CONCEPT_TOO_SLOW",
            ) from None


async def _speech_copy(song: Path, destination: Path) -> SpeechCopy:
    """Copies in a thread, which ends soon after this is cancelled."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(copy_for_speech, song, destination, stop)
    finally:
        stop.set()
