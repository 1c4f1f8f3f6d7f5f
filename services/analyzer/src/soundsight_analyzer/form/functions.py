"""What each section does in the song: intro, verse, chorus, bridge, break, outro.

Pop songs say it by repetition, energy and place: the chorus is what returns with the most energy,
the verse what returns with less, intro and outro stand at the ends and hold back. These are
guesses, and their confidence says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from soundsight_analyzer.form.sections import Section

SOURCE = "soundsight.form-rules"
_END_SHARE = 0.2
_END_LONGEST_S = 40.0
_HOLDS_BACK = 0.85
_BREAK_SHARE = 0.45
_SILENT_ENERGY = 0.02


class Function(Enum):
    """A section's function; the values are the contract's names."""

    UNKNOWN = "UNSPECIFIED"
    INTRO = "INTRO"
    VERSE = "VERSE"
    PRE_CHORUS = "PRE_CHORUS"
    CHORUS = "CHORUS"
    BRIDGE = "BRIDGE"
    BREAK = "BREAK"
    OUTRO = "OUTRO"
    SILENCE = "SILENCE"


@dataclass(frozen=True)
class FunctionGuess:
    """A function and how sure it is, 0 to 1."""

    function: Function
    confidence: float


def guess_functions(
    sections: Sequence[Section], energies: Sequence[float]
) -> tuple[FunctionGuess, ...]:
    """A guess for each of the sections, given the mean energy of each, 0 to 1."""
    song = _Song(sections, energies)
    return tuple(song.guess(index) for index in range(len(sections)))


class _Song:
    """The sections seen together."""

    def __init__(self, sections: Sequence[Section], energies: Sequence[float]) -> None:
        self.sections = sections
        self.energies = energies
        self.duration_s = sections[-1].end_s
        self.counts = Counter(section.label for section in sections)
        weights = [section.duration_s for section in sections]
        self.mean = sum(w * e for w, e in zip(weights, energies, strict=True)) / sum(weights)
        self.label_energy = {
            label: self._mean_of([i for i, s in enumerate(sections) if s.label == label])
            for label in self.counts
        }
        returning = [label for label, count in self.counts.items() if count > 1]
        self.chorus = max(returning, key=lambda label: self.label_energy[label], default=None)

    def _mean_of(self, indices: Sequence[int]) -> float:
        return sum(self.energies[i] for i in indices) / len(indices)

    def guess(self, index: int) -> FunctionGuess:
        section, energy = self.sections[index], self.energies[index]
        last = len(self.sections) - 1
        if energy <= _SILENT_ENERGY:
            return FunctionGuess(Function.SILENCE, 0.9)
        if last == 0:
            return FunctionGuess(Function.UNKNOWN, 0.0)
        if index in (0, last) and self._is_end(section, energy):
            function = Function.INTRO if index == 0 else Function.OUTRO
            alone = self.counts[section.label] == 1
            return FunctionGuess(function, 0.8 if alone and energy < self.mean else 0.6)
        if self._still_at_an_end(index):
            in_first_half = section.end_s < self.duration_s / 2
            return FunctionGuess(Function.INTRO if in_first_half else Function.OUTRO, 0.5)
        if section.label == self.chorus:
            return FunctionGuess(Function.CHORUS, self._chorus_confidence())
        if energy < _BREAK_SHARE * self.mean:
            return FunctionGuess(Function.BREAK, 0.5)
        if self.counts[section.label] > 1:
            if self._leads_into_chorus(section.label):
                return FunctionGuess(Function.PRE_CHORUS, 0.45)
            return FunctionGuess(Function.VERSE, 0.6 if self.chorus else 0.3)
        if self._between_choruses(index):
            return FunctionGuess(Function.BRIDGE, 0.5)
        # What is heard once, somewhere: early on it is rather a verse, later on there is no
        # telling.
        early = section.end_s < self.duration_s / 2
        return FunctionGuess(Function.VERSE if early else Function.UNKNOWN, 0.3 if early else 0.0)

    def _is_end(self, section: Section, energy: float) -> bool:
        """Whether a first or last section is short, and unlike the rest or quieter than it."""
        short = section.duration_s <= min(_END_LONGEST_S, max(12.0, _END_SHARE * self.duration_s))
        unlike = self.counts[section.label] == 1
        return short and (unlike or energy < _HOLDS_BACK * self.mean)

    def _chorus_confidence(self) -> float:
        """A chorus stands out in energy from what else there is."""
        others = [e for label, e in self.label_energy.items() if label != self.chorus]
        if not others or self.chorus is None:
            return 0.3
        lead = self.label_energy[self.chorus] - sorted(others)[-1]
        return float(min(0.85, max(0.4, 0.55 + lead)))

    def _leads_into_chorus(self, label: str) -> bool:
        """Whether a short returning label always stands between a longer one and the chorus."""
        chorus_s = max(s.duration_s for s in self.sections if s.label == self.chorus)
        for index, section in enumerate(self.sections):
            if section.label != label:
                continue
            following = self.sections[index + 1].label if index + 1 < len(self.sections) else None
            previous = self.sections[index - 1].label if index else None
            if following != self.chorus or section.duration_s > 0.75 * chorus_s:
                return False
            if previous is None or self.counts[previous] < 2 or previous == self.chorus:
                return False
        return True

    def _still_at_an_end(self, index: int) -> bool:
        """Whether all is quiet from the song's start to this section, or from it to the end."""
        quiet = [energy < _BREAK_SHARE * self.mean for energy in self.energies]
        return all(quiet[: index + 1]) or all(quiet[index:])

    def _between_choruses(self, index: int) -> bool:
        """Whether two choruses came before and one is still to come."""
        labels = [section.label for section in self.sections]
        return labels[:index].count(str(self.chorus)) >= 2 and self.chorus in labels[index + 1 :]
