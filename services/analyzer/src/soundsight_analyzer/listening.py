"""Listening to a song: the stages in order, each run only when something asked for needs it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from threadpoolctl import threadpool_limits

from soundsight_analyzer.arrays import Floats
from soundsight_analyzer.dynamics.curves import Curves, draw_curves
from soundsight_analyzer.dynamics.events import Event, find_events
from soundsight_analyzer.dynamics.loudness import Loudness
from soundsight_analyzer.dynamics.parts import Parts, hear_parts
from soundsight_analyzer.form.barfeatures import FEWEST_DOWNBEATS, unit_edges
from soundsight_analyzer.form.functions import FunctionGuess, guess_functions
from soundsight_analyzer.form.sections import Section, hear_form
from soundsight_analyzer.harmony.chroma import chroma
from soundsight_analyzer.harmony.hearing import Harmony, hear_harmony
from soundsight_analyzer.harmony.key import Key, hear_keys
from soundsight_analyzer.harmony.notes import Notes, hear_notes
from soundsight_analyzer.meaning.clap import ClapModel, ClapWindows, hear_labels
from soundsight_analyzer.meaning.emotion import EmotionOverTime, feel
from soundsight_analyzer.meaning.instruments import InstrumentSpan, hear_instruments
from soundsight_analyzer.meaning.tags import TagWindows, hear_tags
from soundsight_analyzer.meaning.voice import Voice, hear_voice
from soundsight_analyzer.quiet import has_essentia
from soundsight_analyzer.rhythm.beatthis import BeatModel
from soundsight_analyzer.rhythm.crnn import hear_activations
from soundsight_analyzer.rhythm.degara import degara
from soundsight_analyzer.rhythm.tempo import DEFAULT_BOUNDS_BPM
from soundsight_analyzer.rhythm.tracking import Rhythm, hear_rhythm
from soundsight_analyzer.song import SongFile, read_song
from soundsight_analyzer.spectra import RATE_HZ, Frames, analyse_frames
from soundsight_analyzer.words.asking import Words
from soundsight_analyzer.words.hearing import hear_lyrics
from soundsight_analyzer.words.lyrics import Lyrics


class Feature(Enum):
    """What can be asked for; the names are the contract's."""

    RHYTHM = "RHYTHM"
    HARMONY = "HARMONY"
    DYNAMICS = "DYNAMICS"
    STRUCTURE = "STRUCTURE"
    TAGS = "TAGS"
    EMOTION = "EMOTION"
    VOICE = "VOICE"
    LYRICS = "LYRICS"
    CONCEPT = "CONCEPT"


ALL_FEATURES = frozenset(Feature) - {Feature.LYRICS, Feature.CONCEPT}
"""What is listened for when nothing is named: all that needs no further options."""
_SURELY_INSTRUMENTAL = 0.7
"""How sure that must be before a song is not even searched for words."""

Report = Callable[[str, int, int], None]
"""Told the stage, work done and all work of the stage."""


@dataclass(frozen=True)
class Options:
    """How to listen."""

    features: frozenset[Feature] = ALL_FEATURES
    tempo_bounds_bpm: tuple[float, float] = DEFAULT_BOUNDS_BPM
    max_tags: int = 12
    clap: ClapModel | None = None
    beat_model: BeatModel | None = None
    words: Words = field(default=Words())


@dataclass(frozen=True)
class Heard:
    """All that was heard; None where it was not asked for or not found."""

    song: SongFile
    options: Options
    loudness: Loudness | None = None
    rhythm: Rhythm | None = None
    harmony: Harmony | None = None
    curves: Curves | None = None
    parts: Parts | None = None
    events: tuple[Event, ...] = ()
    sections: tuple[Section, ...] = ()
    section_functions: tuple[FunctionGuess, ...] = ()
    section_energies: tuple[float, ...] = ()
    tags: TagWindows | None = None
    labels: ClapWindows | None = None
    voice: Voice | None = None
    instruments: tuple[InstrumentSpan, ...] = ()
    emotion: EmotionOverTime | None = None
    lyrics: Lyrics | None = None
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
    # The concept is written part by part, once the server has the sections.
    form = bool(wanted & {Feature.STRUCTURE, Feature.CONCEPT})
    return Heard(
        song=song,
        options=options,
        loudness=sound.loudness,
        rhythm=ear.rhythm if Feature.RHYTHM in wanted else None,
        harmony=ear.harmony if Feature.HARMONY in wanted else None,
        curves=ear.curves if Feature.DYNAMICS in wanted else None,
        parts=ear.parts if Feature.DYNAMICS in wanted else None,
        events=ear.events if Feature.DYNAMICS in wanted else (),
        tags=ear.tags if Feature.TAGS in wanted else None,
        labels=ear.labels if Feature.TAGS in wanted else None,
        sections=ear.sections if form else (),
        section_energies=ear.section_energies if form else (),
        emotion=ear.emotion if Feature.EMOTION in wanted else None,
        voice=ear.voice if Feature.VOICE in wanted else None,
        # After the voice, which tells a solo from a verse where it was asked for.
        section_functions=ear.section_functions if form else (),
        instruments=ear.instruments if Feature.VOICE in wanted else (),
        lyrics=ear.lyrics if Feature.LYRICS in wanted else None,
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
        network = self._options.beat_model or hear_activations
        # The network takes as long as all spectra together: they are computed side by side, each on
        # one processor, since threads of the linear algebra library would wait for each other.
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(1) as beside:
            activations = beside.submit(network, self._mono)
            if self._options.features - {Feature.RHYTHM, Feature.DYNAMICS, Feature.LYRICS}:
                self._notes  # noqa: B018 - heard now, used later
            heard = hear_rhythm(
                self._mono,
                self.frames,
                self._chroma,
                bounds_bpm=self._options.tempo_bounds_bpm,
                network=lambda _: activations.result(),
                other_tracker=degara if has_essentia() else None,
            )
        self._report("rhythm", 1, 1)
        return heard

    @cached_property
    def harmony(self) -> Harmony:
        rhythm, keys = self.rhythm, self._keys
        return hear_harmony(self._notes, keys, rhythm, self._duration_s)

    @cached_property
    def _keys(self) -> tuple[Key, ...]:
        self._report("harmony", 0, 1)
        heard = hear_keys(self._notes)
        self._report("harmony", 1, 1)
        return heard

    @cached_property
    def curves(self) -> Curves:
        self._report("dynamics", 0, 1)
        drawn = draw_curves(self.frames)
        self._report("dynamics", 1, 1)
        return drawn

    @cached_property
    def parts(self) -> Parts:
        return hear_parts(self._mono)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        downbeats_s = self.rhythm.downbeats_s
        return find_events(
            self.curves,
            unit_edges(downbeats_s, self._duration_s),
            bars_are_real=len(downbeats_s) >= FEWEST_DOWNBEATS,
        )

    @cached_property
    def tags(self) -> TagWindows | None:
        self._report("tags", 0, 1)
        return hear_tags(self._mono, RATE_HZ, lambda done, total: self._report("tags", done, total))

    @cached_property
    def labels(self) -> ClapWindows | None:
        model = self._options.clap
        if model is None:
            return None

        def progress(done: int, total: int) -> None:
            self._report("tags", done, total)

        return hear_labels(self._mono, RATE_HZ, model, progress)

    @cached_property
    def voice(self) -> Voice | None:
        tags = self.tags
        self._report("voice", 0, 1)
        heard = hear_voice(tags, self._duration_s) if tags is not None else None
        self._report("voice", 1, 1)
        return heard

    @cached_property
    def instruments(self) -> tuple[InstrumentSpan, ...]:
        return hear_instruments(self.tags, self._duration_s) if self.tags is not None else ()

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        heard = self.rhythm
        self._report("structure", 0, 1)
        found = hear_form(self.frames, self._notes, heard, self._duration_s)
        self._report("structure", 1, 1)
        return found

    @cached_property
    def section_energies(self) -> tuple[float, ...]:
        return tuple(self.curves.mean_energy(s.start_s, s.end_s) for s in self.sections)

    @cached_property
    def section_functions(self) -> tuple[FunctionGuess, ...]:
        voice = self.voice if Feature.VOICE in self._options.features else None
        sung = () if voice is None or voice.instrumental else voice.spans
        return guess_functions(
            self.sections,
            self.section_energies,
            [(span.start_s, span.end_s, span.probability) for span in sung],
        )

    @cached_property
    def emotion(self) -> EmotionOverTime:
        rhythm, keys, heard = self.rhythm, self._keys, self.tags
        self._report("emotion", 0, 1)
        felt = feel(self.frames, heard, keys, rhythm)
        self._report("emotion", 1, 1)
        return felt

    @cached_property
    def lyrics(self) -> Lyrics | None:
        return hear_lyrics(
            self._mono,
            RATE_HZ,
            self._options.words,
            voiced=self._voiced(),
            progress=lambda done, total: self._report("lyrics", done, total),
        )

    def _voiced(self) -> list[tuple[float, float]] | None:
        """Where somebody sings, as far as words need it and it is known; nowhere: nobody does."""
        if not self._options.words.wants_voice or self.voice is None:
            return None
        if self.voice.instrumental:
            return [] if self.voice.confidence >= _SURELY_INSTRUMENTAL else None
        return [(span.start_s, span.end_s) for span in self.voice.spans]

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
        if Feature.LYRICS in wanted:
            lines += self.lyrics.warnings if self.lyrics else ["there are no lyrics to align"]
        return lines

    @cached_property
    def _notes(self) -> Notes:
        return hear_notes(self._mono)

    @cached_property
    def _chroma(self) -> Floats:
        return chroma(self._mono)

    @property
    def _duration_s(self) -> float:
        return len(self._mono) / RATE_HZ
