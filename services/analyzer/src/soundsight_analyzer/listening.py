"""Listening to a song: the stages in order, each run only when something asked for needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.dynamics.curves import Curves, draw_curves
from soundsight_analyzer.dynamics.loudness import Loudness
from soundsight_analyzer.form.functions import FunctionGuess, guess_functions
from soundsight_analyzer.form.sections import Section, hear_form
from soundsight_analyzer.harmony.chroma import chroma
from soundsight_analyzer.harmony.key import Key, hear_key
from soundsight_analyzer.meaning.emotion import EmotionOverTime, feel
from soundsight_analyzer.meaning.tags import TagWindows, hear_tags
from soundsight_analyzer.rhythm.degara import degara
from soundsight_analyzer.rhythm.tempo import DEFAULT_BOUNDS_BPM
from soundsight_analyzer.rhythm.tracking import Rhythm, hear_rhythm
from soundsight_analyzer.song import SongFile, read_song
from soundsight_analyzer.spectra import RATE_HZ, Frames, analyse_frames


class Feature(Enum):
    """What can be asked for; the names are the contract's."""

    RHYTHM = "RHYTHM"
    HARMONY = "HARMONY"
    DYNAMICS = "DYNAMICS"
    STRUCTURE = "STRUCTURE"
    TAGS = "TAGS"
    EMOTION = "EMOTION"


ALL_FEATURES = frozenset(Feature)
Report = Callable[[str, int, int], None]
"""Told the stage, work done and all work of the stage."""


@dataclass(frozen=True)
class Options:
    """How to listen."""

    features: frozenset[Feature] = ALL_FEATURES
    tempo_bounds_bpm: tuple[float, float] = DEFAULT_BOUNDS_BPM
    max_tags: int = 12


@dataclass(frozen=True)
class Heard:
    """All that was heard; None where it was not asked for or not found."""

    song: SongFile
    options: Options
    loudness: Loudness | None = None
    rhythm: Rhythm | None = None
    key: Key | None = None
    curves: Curves | None = None
    sections: tuple[Section, ...] = ()
    section_functions: tuple[FunctionGuess, ...] = ()
    section_energies: tuple[float, ...] = ()
    tags: TagWindows | None = None
    emotion: EmotionOverTime | None = None
    silent: bool = False
    warnings: tuple[str, ...] = field(default=())


def listen(song: SongFile, options: Options, report: Report) -> Heard:
    """Listens to a canonical song."""
    wanted = options.features
    report("decode", 0, round(song.duration_s))
    sound = read_song(
        song,
        measure=Feature.DYNAMICS in wanted,
        progress=lambda done, total: report("decode", done, total),
    )
    ear = _Ear(sound.mono, options, report)
    return Heard(
        song=song,
        options=options,
        loudness=sound.loudness,
        rhythm=ear.rhythm if Feature.RHYTHM in wanted else None,
        key=ear.key if Feature.HARMONY in wanted else None,
        curves=ear.curves if Feature.DYNAMICS in wanted else None,
        tags=ear.tags if Feature.TAGS in wanted else None,
        sections=ear.sections if Feature.STRUCTURE in wanted else (),
        section_energies=ear.section_energies if Feature.STRUCTURE in wanted else (),
        section_functions=ear.section_functions if Feature.STRUCTURE in wanted else (),
        emotion=ear.emotion if Feature.EMOTION in wanted else None,
        silent=not sound.mono.any(),
        warnings=tuple(ear.warnings(wanted)),
    )


class _Ear:
    """Hears each thing once, when it is first needed, and reports it as a stage."""

    def __init__(self, mono: Floats, options: Options, report: Report) -> None:
        self._mono = mono
        self._options = options
        self._report = report

    @cached_property
    def rhythm(self) -> Rhythm:
        self._report("rhythm", 0, 1)
        heard = hear_rhythm(
            self._mono,
            self.frames,
            self._chroma,
            bounds_bpm=self._options.tempo_bounds_bpm,
            other_tracker=degara,
        )
        self._report("rhythm", 1, 1)
        return heard

    @cached_property
    def key(self) -> Key | None:
        self._report("harmony", 0, 1)
        heard = hear_key(self._mono, RATE_HZ)
        self._report("harmony", 1, 1)
        return heard

    @cached_property
    def curves(self) -> Curves:
        self._report("dynamics", 0, 1)
        drawn = draw_curves(self.frames)
        self._report("dynamics", 1, 1)
        return drawn

    @cached_property
    def tags(self) -> TagWindows | None:
        self._report("tags", 0, 1)
        return hear_tags(self._mono, RATE_HZ, lambda done, total: self._report("tags", done, total))

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        heard = self.rhythm
        self._report("structure", 0, 1)
        found = hear_form(self.frames, self._chroma, heard, self._duration_s)
        self._report("structure", 1, 1)
        return found

    @cached_property
    def section_energies(self) -> tuple[float, ...]:
        return tuple(self.curves.mean_energy(s.start_s, s.end_s) for s in self.sections)

    @cached_property
    def section_functions(self) -> tuple[FunctionGuess, ...]:
        return guess_functions(self.sections, self.section_energies)

    @cached_property
    def emotion(self) -> EmotionOverTime:
        key, heard = self.key, self.tags
        self._report("emotion", 0, 1)
        felt = feel(self.frames, heard, key)
        self._report("emotion", 1, 1)
        return felt

    @cached_property
    def frames(self) -> Frames:
        return analyse_frames(self._mono)

    def warnings(self, wanted: frozenset[Feature]) -> list[str]:
        """What a user should know about what was asked for."""
        if not self._mono.any():
            return ["the song is silent"]
        lines = []
        if Feature.RHYTHM in wanted:
            if not len(self.rhythm.beats_s):
                lines.append("no pulse was found: there are no beats")
            elif self.rhythm.beats_confidence < 0.3:
                lines.append("the pulse is weak: beats may be wrong")
        return lines

    @cached_property
    def _chroma(self) -> Floats:
        return chroma(self._mono)

    @property
    def _duration_s(self) -> float:
        return len(self._mono) / RATE_HZ
