"""A synthetic voice whose every word has a known time, spoken or sung by espeak-ng.

espeak-ng (GPL-3.0) comes with the test dependency `espeakng-loader` and runs in the tests alone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from songsmith import SAMPLE_RATE_HZ

Samples = npt.NDArray[np.float32]

_SYNCHRONOUS = 2
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_AUDIBLE = 0.01


@dataclass(frozen=True)
class Spoken:
    """Mono ``samples`` at songsmith's rate, and where each word starts and ends, in seconds."""

    samples: Samples
    words: tuple[str, ...]
    starts_s: tuple[float, ...]
    ends_s: tuple[float, ...]


@dataclass(frozen=True)
class Note:
    """How a word is said: its start, its pitch (espeak's 0 to 99) and its pace in words a
    minute."""

    start_s: float
    pitch: int = 50
    pace_wpm: int = 150


def speak(words: Sequence[str], notes: Sequence[Note], *, melodic: bool = False) -> Spoken:
    """Says each word by itself at its time; ``melodic`` keeps the pitch flat within a word."""
    said = [
        _word(word, note.pitch, note.pace_wpm, melodic)
        for word, note in zip(words, notes, strict=True)
    ]
    starts = [round(note.start_s * SAMPLE_RATE_HZ) for note in notes]
    length = max(start + len(each) for start, each in zip(starts, said, strict=True))
    samples = np.zeros(length + SAMPLE_RATE_HZ, dtype=np.float32)
    for start, each in zip(starts, said, strict=True):
        samples[start : start + len(each)] += each
    ends = [(start + len(each)) / SAMPLE_RATE_HZ for start, each in zip(starts, said, strict=True)]
    return Spoken(samples, tuple(words), tuple(note.start_s for note in notes), tuple(ends))


def reading(
    lines: Sequence[str], *, start_s: float, pause_s: float, gap_s: float = 0.06
) -> tuple[list[str], list[Note]]:
    """Words and times of lines read one after the other, a pause after each line."""
    words, notes, at = [], [], start_s
    for line in lines:
        for word in line.split():
            words.append(word)
            notes.append(Note(at))
            at += len(_word(word, 50, 150, False)) / SAMPLE_RATE_HZ + gap_s
        at += pause_s
    return words, notes


def word_length_s(word: str, note: Note) -> float:
    """How long a word lasts that is sung on a note, in seconds."""
    return len(_word(word, note.pitch, note.pace_wpm, True)) / SAMPLE_RATE_HZ


@cache
def _word(word: str, pitch: int, pace_wpm: int, melodic: bool) -> Samples:
    """One word without the silence around it; its peak is 0.5."""
    engine = _engine()
    engine.set_parameter(_RATE, pace_wpm)
    engine.set_parameter(_PITCH, pitch)
    engine.set_parameter(_RANGE, 0 if melodic else 50)
    spoken = engine.say(word)
    loud = np.flatnonzero(np.abs(spoken) > _AUDIBLE * np.abs(spoken).max())
    spoken = spoken[loud[0] : loud[-1] + 1]
    full = soxr.resample(spoken, engine.rate_hz, SAMPLE_RATE_HZ).astype(np.float32)
    level: Samples = full * np.float32(0.5 / np.abs(full).max())
    return level


class _Engine:
    """espeak-ng as a library."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate_hz = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0))
        assert self.rate_hz > 0, "espeak-ng did not start"
        self._library.espeak_SetVoiceByName(b"en-us")
        self._heard: list[Samples] = []
        callback = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._callback = callback(self._hear)
        self._library.espeak_SetSynthCallback(self._callback)

    def set_parameter(self, parameter: int, value: int) -> None:
        self._library.espeak_SetParameter(parameter, value, 0)

    def say(self, text: str) -> Samples:
        self._heard = []
        data = text.encode()
        self._library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._heard)

    def _hear(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            block = np.ctypeslib.as_array(samples, shape=(count,))
            self._heard.append(block.astype(np.float32) / 32768.0)
        return 0


@cache
def _engine() -> _Engine:
    return _Engine()
