"""How long a shot wants to be at each moment: long in quiet, short in loud and fast passages.

Professional videos cut about every two seconds in fast parts and hold much longer in quiet ones
(arXiv 2108.00970). Lengths are felt as ratios, so everything here works on their logarithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.planning.passages import Passage, PassageKind, is_louder
from soundsight_scenewriter.planning.types import Pace
from soundsight_scenewriter.song import Counts, CurveName, EventName, Floats, Song, steps
from soundsight_scenewriter.timeline import Timeline

QUIET_SHOT_S = 8.0
LOUD_SHOT_S = 1.35
_PACE_FACTOR = {Pace.CALM: 1.6, Pace.STANDARD: 1.0, Pace.FAST: 0.62}
_GRID_S = 0.25
_SMOOTH_S = 3.0
# How long a section's first shot is held, for its place to be seen: in silence, at full energy.
_ESTABLISH = (1.5, 1.05)
_LONG_SECTION_S = 16.0
_LAST_HELD = 1.5
_RISE_ENDS_AT = 0.6
# The shots at the end of a build-up that leads somewhere last about half a bar.
_BUILT_UP_BARS = 0.5
_BUILT_UP_S = 1.0
_LONGEST_HOLD_S = 9.0
_AFTER_DROP = 0.8
_AFTER_DROP_S = 8.0
# How phrases differ within a section: held, ordinary and quick ones, about 1 on average.
_PHRASES = ((1.6, 0.8, 1.1, 0.62), (1.4, 1.0, 0.65, 0.95), (1.15, 0.62, 1.65, 0.75))
_PHRASE_BARS = 2
_PHRASE_S = 6.0


@dataclass(frozen=True, slots=True)
class Pacing:
    """The wanted length of a shot over time.

    `cumulative[k]` is the integral of ln(wanted seconds) up to grid point k * `_GRID_S`, so that
    the mean over any stretch costs two look-ups.
    """

    cumulative: Floats

    def wanted_s(self, start_s: Floats, end_s: Floats) -> Floats:
        """The wanted length, in seconds, averaged over stretches of time."""
        grid = steps(self.cumulative.size, _GRID_S)
        span = np.maximum(end_s - start_s, 1e-6)
        inside = np.interp(end_s, grid, self.cumulative) - np.interp(start_s, grid, self.cumulative)
        return np.asarray(np.exp(inside / span))


def _section_at(song: Song, times_s: Floats) -> Counts:
    """The index of the section that each time lies in."""
    starts = np.array([section.start_s for section in song.sections])
    return np.maximum(0, np.searchsorted(starts, times_s, side="right") - 1)


def _section_values(song: Song, times_s: Floats, name: str) -> Floats:
    values = np.array([float(getattr(section, name)) for section in song.sections])
    return np.asarray(values[_section_at(song, times_s)])


def tempo_drive(song: Song) -> float:
    """How fast the song feels by its tempo alone: 0 (60 BPM and below) to 1 (170 and above)."""
    if song.beat_s <= 0.0:
        return 0.3
    return float(np.clip((60.0 / song.beat_s - 60.0) / 110.0, 0.0, 1.0))


def intensity(song: Song, times_s: Floats) -> Floats:
    """How much the music drives, 0 to 1, at given times.

    The energy curve is scaled within the song, so a whisper of a song reaches 1 as well: arousal
    and tempo say how loud its loudest is.
    """
    energy = song.curves.get(CurveName.ENERGY)
    by_section = _section_values(song, times_s, "energy")
    if energy is None or not energy.values.size:
        local = by_section
    else:
        width = max(1, round(_SMOOTH_S / energy.hop_s))
        # Beyond the ends the last value goes on, so that the edges are not taken for silence.
        padded = np.pad(energy.values, (width // 2, width - 1 - width // 2), mode="edge")
        sums = np.concatenate([[0.0], np.cumsum(padded)])
        smooth = (sums[width:] - sums[:-width]) / width
        moments = steps(smooth.size, energy.hop_s)
        local = 0.7 * np.interp(times_s, moments, smooth) + 0.3 * by_section
    arousal = 0.5 + 0.5 * _section_values(song, times_s, "arousal")
    overall = 0.65 * arousal + 0.35 * tempo_drive(song)
    return np.asarray(np.clip(0.25 * overall + 0.75 * local * (0.4 + 0.6 * overall), 0.0, 1.0))


def _shape_sections(
    song: Song, stretches: Sequence[Passage], times_s: Floats, factor: Floats
) -> None:
    """Lets sections breathe: a held first shot, and faster cutting towards a louder section.

    Not towards one that opens with a passage of its own: that begins at ease.
    """
    begins_s = np.array([passage.start_s for passage in stretches])
    for section, following in zip(song.sections, (*song.sections[1:], None), strict=True):
        inside = (times_s >= section.start_s) & (times_s < section.end_s)
        length = section.end_s - section.start_s
        if length <= 0.0 or not inside.any():
            continue
        way = (times_s[inside] - section.start_s) / length
        opening = np.where((times_s[inside] - section.start_s) < min(4.0, length / 3), 1.0, 0.0)
        # A section of a few seconds has no room for a held view of its place.
        establish = float(np.interp(section.energy, (0.0, 1.0), _ESTABLISH))
        shape = 1.0 + (establish - 1.0) * min(1.0, length / _LONG_SECTION_S) ** 2 * opening
        if following is None:
            shape = np.where(way > 0.7, shape * _LAST_HELD, shape)
        elif is_louder(following, section) and not _near(section.end_s, begins_s, song.bar_s):
            late = np.clip((way - 0.6) / 0.4, 0.0, 1.0)
            shape = shape * (1.0 - (1.0 - _RISE_ENDS_AT) * late)
        factor[inside] *= shape


def _near(time_s: float, marks_s: Floats, reach_s: float) -> bool:
    return bool(np.any(np.abs(marks_s - time_s) <= reach_s))


def _shape_phrases(song: Song, times_s: Floats, factor: Floats, dice: Dice) -> None:
    """Lets phrases of a section differ, or steady music is cut like a metronome.

    They are as long as ever on average: how fast a section is cut is for its energy to say.
    """
    phrase_s = _PHRASE_BARS * song.bar_s or _PHRASE_S
    while phrase_s < _PHRASE_S / 2.0:
        phrase_s *= 2.0
    # Counted through the whole song: sections may be shorter than a row of phrases.
    phrase = (times_s // phrase_s).astype(np.int64)
    rows = [dice.pick(_PHRASES) for _ in range(int(phrase.max()) // len(_PHRASES[0]) + 1)]
    # Sections tend to be as long as a row: it must not always begin with them.
    turned = [np.roll(row, int(len(row) * dice.unit())) for row in rows]
    logs = np.log(np.concatenate(turned))[phrase]
    section = _section_at(song, times_s)
    means = np.bincount(section, logs) / np.maximum(1, np.bincount(section))
    factor *= np.exp(logs - means[section])


def _shape_drops(song: Song, times_s: Floats, factor: Floats) -> None:
    for event in song.events:
        since = times_s - event.time_s
        if event.name is EventName.DROP:
            factor[(since >= 0.0) & (since < _AFTER_DROP_S)] *= _AFTER_DROP


def _shape_passage(
    song: Song, passage: Passage, times_s: Floats, logs: Floats, factor: float
) -> None:
    """Accelerates a build-up, or holds a breath; `factor` lengthens all of the film's shots."""
    during = (times_s >= passage.start_s) & (times_s < passage.end_s)
    if not during.any():
        return
    length_s = passage.end_s - passage.start_s
    if passage.kind is PassageKind.BREATH:
        # As few equal shots as can be held; one where it is short.
        held_s = length_s / np.ceil(length_s / (_LONGEST_HOLD_S * factor))
        logs[during] = np.maximum(logs[during], np.log(held_s))
        return
    way = (times_s[during] - passage.start_s) / length_s
    first = logs[during][0]
    last = first + np.log(_RISE_ENDS_AT)
    if passage.leads:
        last = min(last, np.log((_BUILT_UP_BARS * song.bar_s or _BUILT_UP_S) * factor))
    logs[during] = np.minimum(logs[during], first + (last - first) * way)


def pacing(
    song: Song,
    timeline: Timeline,
    pace: Pace,
    dice: Dice,
    stretches: Sequence[Passage],
    stretch: float = 1.0,
) -> Pacing:
    """The wanted length of shots over the whole video; `stretch` lengthens all of them."""
    grid = steps(int(timeline.duration_s / _GRID_S) + 2, _GRID_S)
    quiet, loud = np.log(QUIET_SHOT_S), np.log(LOUD_SHOT_S)
    wanted = quiet + (loud - quiet) * intensity(song, grid)
    factor = np.ones(grid.shape)
    _shape_phrases(song, grid, factor, dice)
    for passage in stretches:
        # Their shape is their own.
        factor[(grid >= passage.start_s) & (grid < passage.end_s)] = 1.0
    _shape_sections(song, stretches, grid, factor)
    _shape_drops(song, grid, factor)
    overall = _PACE_FACTOR[pace] * stretch
    logs = wanted + np.log(factor * overall)
    for passage in stretches:
        _shape_passage(song, passage, grid, logs, overall)
    return Pacing(np.concatenate([[0.0], np.cumsum(logs * _GRID_S)]))
