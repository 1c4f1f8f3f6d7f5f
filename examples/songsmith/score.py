"""A song as data: what is played when, and the truth that follows from it.

Positions are whole steps (sixteenth notes) from the first downbeat; `Timeline` alone turns them
into samples, so that what is played and what is written down as truth cannot disagree.
"""

from bisect import bisect_right
from dataclasses import asdict, dataclass
from typing import Any

from songsmith.theory import Chord, Key, Metre

SAMPLE_RATE_HZ = 44_100


@dataclass(frozen=True)
class TempoMark:
    """From this bar on (counted from 0), this many beats a minute."""

    bar: int
    bpm: float


@dataclass(frozen=True)
class KeyMark:
    """From this bar on (counted from 0), this key; its mode is the song's."""

    bar: int
    key: Key


@dataclass(frozen=True)
class Feel:
    """How players place notes around the grid that they play to.

    `swing` is the share of a beat that its first eighth lasts: 0.5 is straight, 2/3 a triplet
    shuffle. Beats stay where they are. `jitter_s` is the standard deviation of a player's strokes,
    none of which strays further than twice that.
    """

    swing: float = 0.5
    jitter_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0.5 <= self.swing <= 0.75 or not 0.0 <= self.jitter_s <= 0.02:
            raise ValueError("swing lies between 0.5 and 0.75, jitter between 0 and 0.02 s")


@dataclass(frozen=True)
class Finish:
    """How a song is mixed and mastered.

    `drive_db` pushes the whole mix into a waveshaper; `loudness_lufs` is what the master is brought
    to; `pump` is whether the kick pushes the others down.
    """

    drive_db: float = 0.0
    loudness_lufs: float = -14.0
    pump: bool = True


@dataclass(frozen=True)
class Section:
    """A part of the form: its function ("verse"), repetition label ("B") and length."""

    function: str
    label: str
    first_bar: int
    bars: int


@dataclass(frozen=True)
class TimedChord:
    """A chord and the steps for which it sounds."""

    start_step: int
    end_step: int
    chord: Chord


@dataclass(frozen=True)
class Note:
    """A pitched note. `velocity` (0 to 1) is loudness, `brightness` (0 to 1) opens the timbre."""

    start_step: int
    steps: int
    midi: int
    velocity: float
    brightness: float = 0.5


@dataclass(frozen=True)
class Hit:
    """One stroke on a drum, named as in `drums.DRUMS`."""

    step: int
    drum: str
    velocity: float


@dataclass(frozen=True)
class Part:
    """What one player plays: `name` is the place in the mix, `instrument` the sound."""

    name: str
    instrument: str
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Song:
    """A whole song, ready to be played.

    `lead_in_s` is silence before the first downbeat; `tail_s` is what rings after the last bar.
    """

    title: str
    artist: str
    key: Key
    metre: Metre
    tempi: tuple[TempoMark, ...]
    sections: tuple[Section, ...]
    chords: tuple[TimedChord, ...]
    parts: tuple[Part, ...]
    hits: tuple[Hit, ...]
    seed: int
    lead_in_s: float = 0.0
    tail_s: float = 1.5
    later_keys: tuple[KeyMark, ...] = ()
    feel: Feel = Feel()
    finish: Finish = Finish()

    def __post_init__(self) -> None:
        if not self.tempi or self.tempi[0].bar != 0:
            raise ValueError("the first tempo mark must stand at bar 0")
        bars = [mark.bar for mark in self.tempi]
        if bars != sorted(set(bars)) or any(mark.bpm <= 0 for mark in self.tempi):
            raise ValueError("tempo marks must be in order and positive")
        if any(mark.key.mode != self.key.mode for mark in self.later_keys):
            raise ValueError("a key change keeps the mode")
        if self.feel.swing != 0.5 and self.metre.compound:
            raise ValueError("beats that divide into three do not swing")
        next_bar = 0
        for section in self.sections:
            if section.first_bar != next_bar or section.bars < 1:
                raise ValueError(f"section {section.function} does not follow the one before it")
            next_bar += section.bars

    @property
    def bars(self) -> int:
        return sum(section.bars for section in self.sections)


class Timeline:
    """Where each step of a song falls, in samples."""

    def __init__(self, song: Song, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        self.sample_rate_hz = sample_rate_hz
        steps_per_bar = song.metre.steps_per_bar
        self._steps_per_beat = song.metre.steps_per_beat
        self._swing = song.feel.swing
        self._first_steps = [mark.bar * steps_per_bar for mark in song.tempi]
        self._samples_per_step = [
            sample_rate_hz * 60 / (mark.bpm * song.metre.steps_per_beat) for mark in song.tempi
        ]
        self._first_samples = [song.lead_in_s * sample_rate_hz]
        for index in range(1, len(song.tempi)):
            steps = self._first_steps[index] - self._first_steps[index - 1]
            self._first_samples.append(
                self._first_samples[-1] + steps * self._samples_per_step[index - 1]
            )
        self.end_of_bars = self.sample_at(song.bars * steps_per_bar)
        self.samples = self.end_of_bars + round(song.tail_s * sample_rate_hz)

    def sample_at(self, step: int) -> int:
        """The sample at which a step begins."""
        index = max(0, bisect_right(self._first_steps, step) - 1)
        steps = self._swung(step) - self._first_steps[index]
        return round(self._first_samples[index] + steps * self._samples_per_step[index])

    def seconds_at(self, step: int) -> float:
        """The time at which a step begins, exactly on a sample."""
        return self.sample_at(step) / self.sample_rate_hz

    def _swung(self, step: int) -> float:
        """A step's place in steps of equal length: the first half of each beat is stretched."""
        if self._swing == 0.5:
            return step
        beat, within = divmod(step, self._steps_per_beat)
        share = within / self._steps_per_beat
        if share <= 0.5:
            share = 2.0 * share * self._swing
        else:
            share = self._swing + (2.0 * share - 1.0) * (1.0 - self._swing)
        return (beat + share) * self._steps_per_beat


@dataclass(frozen=True)
class TempoSpan:
    start_s: float
    bpm: float


@dataclass(frozen=True)
class KeySpan:
    start_s: float
    key: Key


@dataclass(frozen=True)
class SectionSpan:
    start_s: float
    end_s: float
    label: str
    function: str


@dataclass(frozen=True)
class ChordSpan:
    """A chord in Harte's syntax and the time for which it holds."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True)
class Truth:
    """Everything that an analyzer is to find, exact to the sample.

    Sections are contiguous and cover the song: the first begins at 0, lead-in included, and the
    last ends with the tail. The last chord rings through the tail, in which no beat is counted.
    """

    title: str
    artist: str
    sample_rate_hz: int
    samples: int
    duration_s: float
    tempo_bpm: float
    tempi: tuple[TempoSpan, ...]
    metre: str
    beats_per_bar: int
    beats_s: tuple[float, ...]
    downbeats_s: tuple[float, ...]
    sections: tuple[SectionSpan, ...]
    key: Key
    keys: tuple[KeySpan, ...]
    chords: tuple[ChordSpan, ...]

    def as_json(self) -> dict[str, Any]:
        """The truth as plain values that `json` can write."""
        return asdict(self)


def truth_of(song: Song, sample_rate_hz: int = SAMPLE_RATE_HZ) -> Truth:
    """Derive the truth of a song from its description alone."""
    timeline = Timeline(song, sample_rate_hz)
    metre = song.metre
    beat_steps = range(0, song.bars * metre.steps_per_bar, metre.steps_per_beat)
    beats_s = tuple(timeline.seconds_at(step) for step in beat_steps)
    duration_s = timeline.samples / sample_rate_hz

    starts_s = [timeline.seconds_at(s.first_bar * metre.steps_per_bar) for s in song.sections]
    bounds_s = [0.0, *starts_s[1:], duration_s]
    sections = tuple(
        SectionSpan(start_s, end_s, section.label, section.function)
        for section, start_s, end_s in zip(song.sections, bounds_s, bounds_s[1:], strict=False)
    )
    chord_starts_s = [timeline.seconds_at(timed.start_step) for timed in song.chords]
    chords = tuple(
        ChordSpan(start_s, end_s, timed.chord.label)
        for timed, start_s, end_s in zip(
            song.chords, chord_starts_s, [*chord_starts_s[1:], duration_s], strict=True
        )
    )
    return Truth(
        title=song.title,
        artist=song.artist,
        sample_rate_hz=sample_rate_hz,
        samples=timeline.samples,
        duration_s=duration_s,
        tempo_bpm=song.tempi[0].bpm,
        tempi=tuple(
            TempoSpan(timeline.seconds_at(mark.bar * metre.steps_per_bar), mark.bpm)
            for mark in song.tempi
        ),
        metre=str(metre),
        beats_per_bar=metre.beats_per_bar,
        beats_s=beats_s,
        downbeats_s=beats_s[:: metre.beats_per_bar],
        sections=sections,
        key=song.key,
        keys=(
            KeySpan(0.0, song.key),
            *(
                KeySpan(timeline.seconds_at(mark.bar * metre.steps_per_bar), mark.key)
                for mark in song.later_keys
            ),
        ),
        chords=chords,
    )
