"""The course of the song: energy and its parts, valence and arousal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from soundsight.analyzer.v1 import analysis_pb2 as a
from soundsight_cli.plotting.lane import Lane, Name, Stage, in_columns, smoothed
from soundsight_cli.plotting.look import (
    AROUSAL,
    BASS,
    ENERGY,
    FAINT,
    ONSET,
    PERCUSSIVE,
    RULE,
    SMALL_PT,
    VALENCE,
)

_SHOWN = (
    (a.CURVE_KIND_ENERGY, "energy", ENERGY, 0.75),
    (a.CURVE_KIND_BASS, "bass", BASS, 0.45),
    (a.CURVE_KIND_ONSET, "onsets", ONSET, 0.45),
    (a.CURVE_KIND_PERCUSSIVE, "percussive", PERCUSSIVE, 0.45),
)
TREND_SHARE = 1 / 110
"""Share of the picture over which a curve's trend is averaged."""


def curve_lanes(curves: Sequence[a.Curve]) -> list[Lane]:
    """A lane for each curve that tells of energy or rhythm, where there is one."""
    by_kind = {curve.kind: curve for curve in curves}
    return [
        _curve_lane(by_kind[kind], name, colour, height)
        for kind, name, colour, height in _SHOWN
        if kind in by_kind and by_kind[kind].values
    ]


def _curve_lane(curve: a.Curve, name: str, colour: str, height: float) -> Lane:
    def draw(axes: Axes, stage: Stage) -> None:
        values = np.asarray(curve.values, dtype=np.float64)
        moments, means = in_columns(values, curve.hop_s, stage.duration_s)
        trend = smoothed(means, round(len(means) * TREND_SHARE))
        # Energy alone compares from song to song; of the others the course is what tells.
        whole = curve.kind == a.CURVE_KIND_ENERGY
        top = 1.0 if whole else min(1.0, max(0.2, 1.1 * float(np.quantile(means, 0.995))))
        axes.set_ylim(0, 1.06 * top)
        axes.fill_between(moments, 0, means, color=colour, alpha=0.38, linewidth=0)
        axes.plot(moments, trend, color=colour, linewidth=1.3)

    return Lane((Name(name, colour),), height, draw, grows=True)


def emotion_lane(emotion: a.EmotionCurve) -> Lane:
    """Valence and arousal, from -1 to 1."""

    def draw(axes: Axes, stage: Stage) -> None:
        axes.set_ylim(-1.05, 1.05)
        for level in (-0.5, 0.0, 0.5):
            axes.axhline(level, color=RULE, linewidth=1.1 if level == 0 else 0.6)
        for values, colour in ((emotion.arousal, AROUSAL), (emotion.valence, VALENCE)):
            moments, means = in_columns(
                np.asarray(values, dtype=np.float64), emotion.hop_s, stage.duration_s
            )
            axes.plot(
                np.append(moments, stage.duration_s)[: len(means) + 1],
                np.append(means, means[-1:]),
                color=colour,
                linewidth=1.8,
            )
        for level, text in ((0.86, "+1"), (-0.86, "−1")):
            axes.annotate(
                text,
                (1, level),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                fontproperties=stage.lettering.font(SMALL_PT - 1.5),
                color=FAINT,
                va="center",
            )

    names = (Name("valence", VALENCE, 0.66), Name("arousal", AROUSAL, 0.34))
    return Lane(names, 1.0, draw, grows=True)
