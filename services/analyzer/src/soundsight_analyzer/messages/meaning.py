"""Tags, voice, instruments and emotion as the contract's messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

import numpy as np

from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight_analyzer.listening import Heard
from soundsight_analyzer.meaning import emotion, instruments, voice
from soundsight_analyzer.meaning.clap import ClapWindows, certainty
from soundsight_analyzer.meaning.emotion import EmotionOverTime
from soundsight_analyzer.meaning.instruments import InstrumentSpan
from soundsight_analyzer.meaning.labels import group_of
from soundsight_analyzer.meaning.labelsets import LabelSet
from soundsight_analyzer.meaning.tags import TAGGERS, Tagger, TagWindows
from soundsight_analyzer.meaning.voice import Voice
from soundsight_analyzer.messages.evidence import evidence, finite

_LEAST_TAG_SCORE = 0.03


def tag_messages(heard: Heard, start_s: float, end_s: float) -> Sequence[pb.Tag]:
    """The best tags of a stretch, best first, each ranking's best in turn and each word once."""
    rankings = []
    if heard.tags is not None:
        rankings += [_ranking(heard.tags, tagger, start_s, end_s) for tagger in TAGGERS]
    if heard.labels is not None:
        rankings += [
            _zero_shot(heard.labels, label_set, start_s, end_s)
            for label_set in heard.labels.label_sets
        ]
    chosen: dict[str, pb.Tag] = {}
    for tag in (tag for turn in zip_longest(*rankings) for tag in turn if tag is not None):
        if len(chosen) < heard.options.max_tags:
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
        if scores[index] >= _LEAST_TAG_SCORE
    ]


def _zero_shot(
    windows: ClapWindows, label_set: LabelSet, start_s: float, end_s: float
) -> list[pb.Tag]:
    """The labels of a group that are likelier than chance."""
    shares = windows.shares(label_set, start_s, end_s)
    sure = certainty(shares)
    return [
        pb.Tag(
            group=label_set.group,
            label=label_set.labels[index],
            score=float(shares[index]),
            evidence=evidence(float(shares[index]) * sure, windows.source),
        )
        for index in np.argsort(-shares, kind="stable")
        if shares[index] > 1.0 / len(shares)
    ]


def voice_message(heard: Voice) -> pb.Voice:
    return pb.Voice(
        instrumental=heard.instrumental,
        instrumental_evidence=evidence(heard.confidence, voice.SOURCE),
        register=pb.Register.Value(f"REGISTER_{heard.register.value}"),
        spans=[
            pb.VoiceSpan(start_s=s.start_s, end_s=s.end_s, probability=s.probability)
            for s in heard.spans
        ],
    )


def instrument_messages(spans: Iterable[InstrumentSpan]) -> list[pb.InstrumentSpan]:
    return [
        pb.InstrumentSpan(
            start_s=span.start_s,
            end_s=span.end_s,
            instrument=span.instrument,
            evidence=evidence(span.confidence, instruments.SOURCE),
        )
        for span in spans
    ]


def emotion_message(felt: EmotionOverTime, start_s: float, end_s: float) -> pb.Emotion:
    valence, arousal = felt.mean(start_s, end_s)
    return pb.Emotion(
        valence=valence,
        arousal=arousal,
        valence_evidence=evidence(felt.valence_confidence, emotion.SOURCE),
        arousal_evidence=evidence(felt.arousal_confidence, emotion.SOURCE),
    )


def emotion_curve_message(felt: EmotionOverTime, duration_s: float) -> pb.EmotionCurve:
    return pb.EmotionCurve(
        overall=emotion_message(felt, 0.0, duration_s),
        hop_s=felt.hop_s,
        valence=finite(felt.valence),
        arousal=finite(felt.arousal),
    )
