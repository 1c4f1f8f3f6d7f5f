"""Beats and bars, the tempo where it moves, chords and keys."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight_cli import naming
from soundsight_cli.plotting.lane import Lane, Name, Stage, Values, blocks
from soundsight_cli.plotting.lettering import LINE_HEIGHT, plain
from soundsight_cli.plotting.look import (
    FAINT,
    RULE,
    SMALL_PT,
    SOFT,
    TEMPO,
    TEXT,
    TEXT_PT,
    chord_colour,
    lettering_colour,
)

CLOSEST_IN = 0.032
"""Ticks that stand closer than this run into a grey block: four pixels."""

DOWNBEAT = 1
CHORDS_IN = 0.36
UPRIGHT_PT = 6.5


def beats_lane(rhythm: a.Rhythm, stage: Stage) -> Lane:
    """Beats as ticks, downbeats taller. Where there is no room for all of them only downbeats are
    left, then every second, fourth, ... of those. Above them the metres where there are several."""
    metres = rhythm.metres if len(rhythm.metres) > 1 else ()
    down = np.array([beat.time_s for beat in rhythm.beats if beat.position == DOWNBEAT])
    rest = np.array([beat.time_s for beat in rhythm.beats if beat.position != DOWNBEAT])
    bars, of_bars = thinned(down, stage)
    beats, of_beats = thinned(rest, stage)
    if len(down) and of_beats > 1:
        # Some beats between bars would be told from nothing.
        beats = beats[:0]
    what, every = ("bars, beats" if len(beats) else "bars", of_bars)
    if not len(down):
        what, every = "beats", of_beats
    names = [Name(what, SOFT, 0.5 if every == 1 else 0.72)]
    if every > 1:
        names.append(
            Name(f"every {every}{'nd' if every == 2 else 'th'}", FAINT, 0.22, SMALL_PT - 1)
        )

    def draw(axes: Axes, stage: Stage) -> None:
        axes.set_ylim(0, 1.5 if metres else 1.0)
        sure = 0.45 + 0.55 * min(1.0, max(0.0, rhythm.beats_evidence.confidence))
        _ticks(axes, stage, bars, 1.0, TEXT, sure)
        _ticks(axes, stage, beats, 0.5 if len(bars) else 0.8, SOFT, sure * 0.8)
        for metre in metres:
            axes.annotate(
                naming.metre(metre),
                (metre.start_s, 1.25),
                xytext=(2, 0),
                textcoords="offset points",
                fontproperties=stage.lettering.font(SMALL_PT),
                color=SOFT,
                va="center",
                annotation_clip=True,
            )

    return Lane(tuple(names), 0.40 if metres else 0.28, draw)


def thinned(times: Values, stage: Stage) -> tuple[Values, int]:
    """Returns the moments of which there is room for ticks, and that it is every how manieth."""
    every = 1
    while _distance_in(times[::every], stage) < CLOSEST_IN:
        every *= 2
    return times[::every], every


def _distance_in(times: Values, stage: Stage) -> float:
    """How far apart moments mostly are on the picture."""
    if len(times) < 2:
        return math.inf
    return float(np.median(np.diff(times))) / stage.duration_s * stage.width_in


def _ticks(
    axes: Axes, stage: Stage, times: Values, height: float, colour: str, opacity: float
) -> None:
    """Ticks from the lane's foot; thinner where they stand close."""
    lines = [[(time, 0.0), (time, height)] for time in times]
    width = min(1.3, max(0.5, 72 * _distance_in(times, stage) / 5))
    axes.add_collection(
        LineCollection(lines, colors=[to_rgba(colour, opacity)], linewidths=width), autolim=False
    )


def tempo_lane(points: Sequence[a.TempoPoint]) -> Lane:
    """The tempo as a line of steps, with its values where it has changed."""
    tempi = [point.tempo_bpm for point in points]
    low, high = min(tempi), max(tempi)

    def draw(axes: Axes, stage: Stage) -> None:
        room = max(2.0, high - low)
        axes.set_ylim(low - 0.35 * room, high + 0.9 * room)
        times = [max(0.0, point.start_s) for point in points]
        axes.step(
            [*times, stage.duration_s], [*tempi, tempi[-1]], where="post", color=TEMPO, lw=1.6
        )
        written_in = -1.0
        for point in naming.tempo_changes(points):
            text = f"{point.tempo_bpm:.0f}"
            at_in = stage.room_in(0, point.start_s)
            if at_in < written_in or at_in > stage.width_in - 0.3:
                continue
            written_in = at_in + stage.lettering.width_in(text, SMALL_PT) + 0.08
            axes.annotate(
                text,
                (point.start_s, point.tempo_bpm),
                xytext=(2, 3),
                textcoords="offset points",
                fontproperties=stage.lettering.font(SMALL_PT),
                color=TEMPO,
                va="bottom",
                annotation_clip=True,
            )

    return Lane((Name("tempo", TEMPO),), 0.40, draw)


def chords_lane(chords: Sequence[a.Chord]) -> Lane:
    """Chords as blocks, neighbours on the circle of fifths in neighbouring colours; the less sure
    the paler."""

    def draw(axes: Axes, stage: Stage) -> None:
        axes.set_ylim(0, 1)
        runs = list(stage.inside(joined(chords)))
        grounds = [
            to_rgba(
                chord_colour(one.label), 0.4 + 0.6 * min(1.0, max(0.0, one.evidence.confidence))
            )
            for one in runs
        ]
        spans = [(one.start_s, one.end_s) for one in runs]
        blocks(axes, spans, 0, 1, grounds, edges=len(runs) <= 250)
        for one, ground in zip(runs, grounds, strict=True):
            _name_chord(axes, stage, one, lettering_colour(ground))

    return Lane((Name("chords", SOFT),), CHORDS_IN, draw)


def _name_chord(axes: Axes, stage: Stage, chord: a.Chord, colour: str) -> None:
    """Writes a chord's name into its block; upright where it is too narrow otherwise."""
    text, span = plain(naming.chord(chord.label)), (chord.start_s, chord.end_s)
    for size_pt in (TEXT_PT, SMALL_PT - 1):
        if stage.label(axes, *span, 0.47, text, size_pt, colour=colour, whole=True):
            return
    if (
        stage.room_in(*span) >= UPRIGHT_PT * LINE_HEIGHT / 72
        and stage.lettering.width_in(text, UPRIGHT_PT) <= CHORDS_IN - 0.04
    ):
        axes.text(
            stage.middle_s(*span),
            0.5,
            text,
            fontproperties=stage.lettering.font(UPRIGHT_PT),
            color=colour,
            ha="center",
            va="center",
            rotation=90,
            clip_on=True,
            parse_math=False,
        )


def joined(chords: Sequence[a.Chord]) -> list[a.Chord]:
    """Returns chords with those that go on joined into one, as sure as its surest part."""
    runs: list[a.Chord] = []
    for chord in chords:
        last = runs[-1] if runs else None
        if last and last.label == chord.label and chord.start_s - last.end_s < 0.05:
            last.end_s = chord.end_s
            last.evidence.confidence = max(last.evidence.confidence, chord.evidence.confidence)
        else:
            run = a.Chord()
            run.CopyFrom(chord)
            runs.append(run)
    return runs


def keys_lane(keys: Sequence[a.Key]) -> Lane:
    """The keys of a song that changes its key."""

    def draw(axes: Axes, stage: Stage) -> None:
        axes.set_ylim(0, 1)
        ends = [*(key.start_s for key in keys[1:]), stage.duration_s]
        spans = [(key.start_s, end) for key, end in zip(keys, ends, strict=True)]
        blocks(axes, spans, 0.08, 0.92, [to_rgba(RULE, 0.8)] * len(spans))
        for key, (start_s, end_s) in zip(keys, spans, strict=True):
            stage.label(axes, start_s, end_s, 0.45, naming.key(key), SMALL_PT, colour=SOFT)

    return Lane((Name("key", SOFT),), 0.22, draw)
