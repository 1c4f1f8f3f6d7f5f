"""Tags and emotion as the contract's messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.meaning import emotion
from soundsight_analyzer.meaning.emotion import EmotionOverTime
from soundsight_analyzer.meaning.labels import group_of
from soundsight_analyzer.meaning.tags import TAGGERS, Tagger, TagWindows
from soundsight_analyzer.messages.evidence import evidence, finite

_LEAST_TAG_SCORE = 0.03


def tag_messages(windows: TagWindows, start_s: float, end_s: float, limit: int) -> Sequence[pb.Tag]:
    """The best tags of a stretch, best first, each model's best in turn and each word once."""
    rankings = [_ranking(windows, tagger, start_s, end_s) for tagger in TAGGERS]
    chosen: dict[str, pb.Tag] = {}
    for tag in (tag for pair in zip(*rankings, strict=True) for tag in pair):
        if len(chosen) < limit and tag.score >= _LEAST_TAG_SCORE:
            chosen.setdefault(tag.label, tag)
    return sorted(chosen.values(), key=lambda tag: -tag.score)


def _ranking(windows: TagWindows, tagger: Tagger, start_s: float, end_s: float) -> list[pb.Tag]:
    scores = windows.mean(tagger, start_s, end_s)
    return [
        pb.Tag(
            group=group_of(tagger.labels[index]),
            label=tagger.labels[index],
            score=float(scores[index]),
            evidence=evidence(float(scores[index]), tagger.id),
        )
        for index in np.argsort(-scores, kind="stable")
    ]


def emotion_message(felt: EmotionOverTime, start_s: float, end_s: float) -> pb.Emotion:
    valence, arousal = felt.mean(start_s, end_s)
    return pb.Emotion(
        valence=valence,
        arousal=arousal,
        valence_evidence=evidence(emotion.VALENCE_CONFIDENCE, emotion.SOURCE),
        arousal_evidence=evidence(emotion.AROUSAL_CONFIDENCE, emotion.SOURCE),
    )


def emotion_curve_message(felt: EmotionOverTime, duration_s: float) -> pb.EmotionCurve:
    return pb.EmotionCurve(
        overall=emotion_message(felt, 0.0, duration_s),
        hop_s=felt.hop_s,
        valence=finite(felt.valence),
        arousal=finite(felt.arousal),
    )
