"""Whisper: recognises words, and aligns given ones with the voice.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision" (2022), run by
faster-whisper and ctranslate2 (both MIT) from a folder of the user's. Aligning is forced: the given
text is fed to the decoder, and dynamic time warping over its cross-attention says which frames each
token looked at. Nothing is recognised there and nothing can be changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from soundsight_analyzer.arrays import Floats

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

RATE_HZ = 16_000
WEIGHTS = "model.bin"
FRAME_S = 0.02
_MOST_THREADS = 4
_LEAST_LOG_PROBABILITY = -1.0
_FEW_WORDS, _CLEAR = 3, 0.5
_MOST_COMPRESSION = 2.4


@dataclass(frozen=True)
class HeardWord:
    """A word that was recognised or aligned; times in seconds, ``probability`` in [0, 1]."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class HeardLine:
    """Recognised words that belong together."""

    words: tuple[HeardWord, ...]

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words).strip()


@dataclass(frozen=True)
class Recognised:
    """What was recognised; ``language`` is Whisper's code for what was told or heard."""

    lines: tuple[HeardLine, ...]
    language: str


class Whisper:
    """A loaded model."""

    def __init__(self, folder: Path, device: str = "auto") -> None:
        """Loads the model; raises RuntimeError when the folder holds none that can be read."""
        self._model = _load(folder, device)
        self.id = f"whisper/{folder.name}"

    def language(self, tag: str) -> str | None:
        """Whisper's code for a BCP 47 tag; None when it is empty or Whisper does not know it."""
        code = tag.lower().replace("_", "-").partition("-")[0]
        return code if code in self._model.supported_languages else None

    def recognise(
        self, sound: Floats, language: str | None, progress: Callable[[float], None]
    ) -> Recognised:
        """Recognises what is sung; ``sound`` (n,) at RATE_HZ. ``progress`` is told seconds."""
        segments, info = self._model.transcribe(
            np.ascontiguousarray(sound, dtype=np.float32),
            language=language,
            beam_size=1,
            temperature=0.0,
            vad_filter=False,
            word_timestamps=True,
            # A mistake must not be handed on from window to window.
            condition_on_previous_text=False,
        )
        lines = []
        for segment in segments:
            progress(segment.end)
            if _is_trusted(segment):
                words = (
                    HeardWord(word.word, word.start, word.end, word.probability)
                    for word in segment.words or ()
                )
                lines.append(HeardLine(tuple(words)))
        return Recognised(tuple(line for line in lines if line.words), info.language)

    def tokens(self, text: str, language: str) -> list[int]:
        """The tokens of a text; one that begins a word starts with a space."""
        return self._tokenizer(language).encode(text)

    def align(
        self, sound: Floats, tokens: Sequence[Sequence[int]], language: str
    ) -> list[HeardWord]:
        """Aligns words, each given by its tokens, with at most 30 s of sound at RATE_HZ.

        Returns one word per given one, without text, its times in seconds from the start of
        ``sound``; each ends where the next one starts.
        """
        features = self._model.feature_extractor(np.ascontiguousarray(sound, dtype=np.float32))
        frames = min(features.shape[-1], round(len(sound) / RATE_HZ / (FRAME_S / 2)))
        encoded = self._model.encode(_padded(features, self._model.feature_extractor.nb_max_frames))
        flat = [token for word in tokens for token in word]
        tokenizer = self._tokenizer(language)
        (result,) = self._model.model.align(
            encoded, tokenizer.sot_sequence, [flat], frames, median_filter_width=7
        )
        starts = _first_frames(result.alignments, len(flat) + 1) * FRAME_S
        edges = np.cumsum([0, *(len(word) for word in tokens)])
        probabilities = np.asarray(result.text_token_probs)
        return [
            HeardWord("", float(starts[a]), float(starts[b]), float(probabilities[a:b].mean()))
            for a, b in pairwise(edges)
        ]

    @lru_cache(maxsize=4)  # noqa: B019 - one model lives as long as its process
    def _tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        return Tokenizer(
            self._model.hf_tokenizer,
            self._model.model.is_multilingual,
            task="transcribe",
            language=language,
        )


def _load(folder: Path, device: str) -> WhisperModel:
    # Threads that spin while they wait would slow down everything else on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from faster_whisper import WhisperModel

    threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    if device == "auto":
        import ctranslate2

        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    device, _, index = device.partition(":")
    compute_type = "float16" if device == "cuda" else "int8"
    return WhisperModel(
        str(folder),
        device=device,
        device_index=int(index or 0),
        compute_type=compute_type,
        cpu_threads=threads,
        local_files_only=True,
    )


def _is_trusted(segment: Any) -> bool:
    """Whether a segment is more than what Whisper makes of music without words.

    It then makes signs, loops, or a phrase of thanks that it learnt from the ends of films: a few
    words alone are trusted only if each of them was clear and took its time.
    """
    words = segment.words or ()
    if len(words) <= _FEW_WORDS and not all(
        word.probability >= _CLEAR and word.end > word.start for word in words
    ):
        return False
    return bool(
        segment.avg_logprob > _LEAST_LOG_PROBABILITY
        and segment.compression_ratio < _MOST_COMPRESSION
        and any(char.isalpha() for char in segment.text)
        and not segment.text.strip().startswith(("[", "(", "♪", "*"))
    )


def _padded(features: Floats, frames: int) -> Floats:
    features = features[:, :frames]
    return np.pad(features, ((0, 0), (0, frames - features.shape[1])))


def _first_frames(alignments: Sequence[tuple[int, int]], count: int) -> Floats:
    """The first frame of each token on the path, (count,); tokens that have none get the next's."""
    pairs = np.asarray(alignments)
    last = int(pairs[:, 1].max())
    first = np.full(count, last, dtype=np.float64)
    for token, frame in pairs[::-1]:
        if token < count:
            first[token] = frame
    return np.minimum.accumulate(first[::-1])[::-1]
