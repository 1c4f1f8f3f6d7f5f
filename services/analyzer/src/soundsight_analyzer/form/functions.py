"""What each section does in the song: intro, verse, chorus, bridge, solo, break, outro.

Pop songs say it by repetition, energy and place: the chorus is what returns with the most energy,
the verse what returns with less, intro and outro stand at the ends and hold back, a solo is as
strong as a chorus and heard once. Where voices are known, they help: a solo has none in a song that
is sung, and a verse has one. These are guesses, and their confidence says so.
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
_HOLDS_BACK_FROM_ITS_RETURN = 0.7
_BREAK_SHARE = 0.45
_SOLO_SHARE = 0.85
"""A solo's energy is at least this share of the chorus's."""
_PLAIN_FORM = 0.5
"""The share of a song with a plain form that is heard more than once."""
_SUNG, _UNSUNG = 0.5, 0.2
"""Shares of a section with voices from which on it is sung, and below which it is not."""
_SILENT_ENERGY = 0.02


class Function(Enum):
    """A section's function; the values are the contract's names."""

    UNKNOWN = "UNSPECIFIED"
    INTRO = "INTRO"
    VERSE = "VERSE"
    PRE_CHORUS = "PRE_CHORUS"
    CHORUS = "CHORUS"
    BRIDGE = "BRIDGE"
    SOLO = "SOLO"
    BREAK = "BREAK"
    OUTRO = "OUTRO"
    SILENCE = "SILENCE"


@dataclass(frozen=True)
class FunctionGuess:
    """A function and how sure it is, 0 to 1."""

    function: Function
    confidence: float


def guess_functions(
    sections: Sequence[Section],
    energies: Sequence[float],
    voiced: Sequence[tuple[float, float, float]] = (),
) -> tuple[FunctionGuess, ...]:
    """A guess for each of the sections, given the mean energy of each, 0 to 1.

    ``voiced`` holds stretches with a voice, each (start_s, end_s, probability); none means that
    nothing is known of voices.
    """
    song = _Song(sections, energies, voiced)
    return tuple(song.guess(index) for index in range(len(sections)))


class _Song:
    """The sections seen together."""

    def __init__(
        self,
        sections: Sequence[Section],
        energies: Sequence[float],
        voiced: Sequence[tuple[float, float, float]],
    ) -> None:
        self.sections = sections
        self.energies = energies
        self.duration_s = sections[-1].end_s
        self.labels = [section.letter for section in sections]
        self.counts = Counter(self.labels)
        self.sung = [_share_sung(section, voiced) for section in sections]
        self.has_voice = max(self.sung, default=0.0) >= _SUNG
        weights = [section.duration_s for section in sections]
        self.mean = sum(w * e for w, e in zip(weights, energies, strict=True)) / sum(weights)
        self.label_energy = {
            label: self._mean_of([i for i, own in enumerate(self.labels) if own == label])
            for label in self.counts
        }
        returning_s = sum(s.duration_s for s in sections if self.counts[s.letter] > 1)
        self.returning_share = returning_s / sum(weights)
        returning = [label for label, count in self.counts.items() if count > 1]
        self.chorus = max(returning, key=lambda label: self.label_energy[label], default=None)

    def _mean_of(self, indices: Sequence[int]) -> float:
        return sum(self.energies[i] for i in indices) / len(indices)

    def guess(self, index: int) -> FunctionGuess:
        section, energy = self.sections[index], self.energies[index]
        label, last = self.labels[index], len(self.sections) - 1
        if energy <= _SILENT_ENERGY:
            return FunctionGuess(Function.SILENCE, 0.9)
        if last == 0:
            return FunctionGuess(Function.UNKNOWN, 0.0)
        if index in (0, last) and self._is_end(index):
            function = Function.INTRO if index == 0 else Function.OUTRO
            alone = self.counts[label] == 1
            return FunctionGuess(function, 0.8 if alone and energy < self.mean else 0.6)
        if self._still_at_an_end(index):
            in_first_half = section.end_s < self.duration_s / 2
            return FunctionGuess(Function.INTRO if in_first_half else Function.OUTRO, 0.5)
        if label == self.chorus:
            return FunctionGuess(Function.CHORUS, self._chorus_confidence())
        if energy < _BREAK_SHARE * self.mean:
            return FunctionGuess(Function.BREAK, 0.5)
        if self.counts[label] > 1:
            if self._leads_into_chorus(label):
                return FunctionGuess(Function.PRE_CHORUS, 0.45)
            return FunctionGuess(Function.VERSE, 0.6 if self.chorus else 0.3)
        return self._guess_heard_once(index)

    def _guess_heard_once(self, index: int) -> FunctionGuess:
        """What is heard once, somewhere inside the song."""
        early = self.sections[index].end_s < self.duration_s / 2
        if self.chorus is not None and self.labels[:index].count(self.chorus):
            # Where little returns, what is heard once is the rule and no solo.
            strong = (
                self.returning_share >= _PLAIN_FORM
                and self.energies[index] >= _SOLO_SHARE * self.label_energy[self.chorus]
            )
            unsung = self.has_voice and self.sung[index] < _UNSUNG
            sung = self.has_voice and self.sung[index] >= _SUNG
            if (strong or unsung) and not sung:
                return FunctionGuess(Function.SOLO, 0.7 if strong and unsung else 0.45)
            if self._between_choruses(index):
                return FunctionGuess(Function.BRIDGE, 0.6 if sung else 0.5)
        # Early on it is rather a verse, later on there is no telling.
        return FunctionGuess(Function.VERSE if early else Function.UNKNOWN, 0.3 if early else 0.0)

    def _is_end(self, index: int) -> bool:
        """Whether a first or last section is short, and unlike the rest or quieter than it; what
        returns must hold back from its own returns."""
        section, energy = self.sections[index], self.energies[index]
        short = section.duration_s <= min(_END_LONGEST_S, max(12.0, _END_SHARE * self.duration_s))
        others = [i for i, own in enumerate(self.labels) if own == self.labels[index]]
        others.remove(index)
        if not others:
            return short
        return short and energy < _HOLDS_BACK_FROM_ITS_RETURN * self._mean_of(others)

    def _chorus_confidence(self) -> float:
        """A chorus stands out in energy from what else there is."""
        others = [e for label, e in self.label_energy.items() if label != self.chorus]
        if not others or self.chorus is None:
            return 0.3
        lead = self.label_energy[self.chorus] - sorted(others)[-1]
        return float(min(0.85, max(0.4, 0.55 + lead)))

    def _leads_into_chorus(self, label: str) -> bool:
        """Whether a short returning label always stands between a longer one and the chorus."""
        chorus_s = max(
            section.duration_s
            for section, own in zip(self.sections, self.labels, strict=True)
            if own == self.chorus
        )
        for index, section in enumerate(self.sections):
            if self.labels[index] != label:
                continue
            following = self.labels[index + 1] if index + 1 < len(self.labels) else None
            previous = self.labels[index - 1] if index else None
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
        """Whether a chorus came before and one is still to come."""
        return self.chorus in self.labels[:index] and self.chorus in self.labels[index + 1 :]


def _share_sung(section: Section, voiced: Sequence[tuple[float, float, float]]) -> float:
    """The share of a section in which there is a voice, each stretch by its probability."""
    heard = sum(
        max(0.0, min(end_s, section.end_s) - max(start_s, section.start_s)) * probability
        for start_s, end_s, probability in voiced
    )
    return heard / max(section.duration_s, 1e-9)
