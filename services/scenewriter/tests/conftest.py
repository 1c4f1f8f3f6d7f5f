"""Songs made by hand for the scene writer's tests: their pulse and structure are known exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from soundsight.analyzer.v1 import analysis_pb2 as apb

Analysis = apb.SongAnalysis
Part = tuple[str, str, int, float]


@dataclass(frozen=True)
class HandmadeSong:
    """What a song should be like; `parts` are (label, function, bars, energy)."""

    bpm: float
    parts: Sequence[Part]
    valence: float = 0.0
    arousal: float = 0.0
    minor: bool = False
    title: str = ""
    genre: str = ""
    tags: Sequence[tuple[str, str, float]] = ()
    events: Sequence[tuple[str, float, float]] = ()
    beats_per_bar: int = 4
    lead_in_s: float = 0.2
    tail_s: float = 1.5
    beats: bool = True
    beats_confidence: float = 0.8
    curves: bool = True
    hop_s: float = 0.02
    function_names: bool = field(default=True)

    @property
    def bar_s(self) -> float:
        """Seconds of one bar."""
        return self.beats_per_bar * 60.0 / self.bpm

    def analysis(self) -> Analysis:
        """The song as an analyzer would describe it."""
        made = Analysis()
        bars = sum(part[2] for part in self.parts)
        duration = self.lead_in_s + bars * self.bar_s + self.tail_s
        made.audio.samples = round(duration * 44_100)
        made.audio.sample_rate_hz = 44_100
        made.audio.channels = 2
        made.audio.duration_s = made.audio.samples / 44_100
        made.metadata.title = self.title
        made.metadata.genre = self.genre
        key = made.harmony.keys.add(tonic="A", start_s=0.0)
        key.mode = apb.MODE_MINOR if self.minor else apb.MODE_MAJOR
        if self.beats:
            made.rhythm.tempo_bpm = self.bpm
            made.rhythm.beats_evidence.confidence = self.beats_confidence
            for beat in range(bars * self.beats_per_bar):
                made.rhythm.beats.add(
                    time_s=self.lead_in_s + beat * 60.0 / self.bpm,
                    position=beat % self.beats_per_bar + 1,
                    confidence=0.8,
                )
        made.emotion.overall.valence = self.valence
        made.emotion.overall.arousal = self.arousal
        for group, label, score in self.tags:
            made.tags.add(group=group, label=label, score=score).evidence.source = "musicnn"
        self._add_parts(made, duration)
        if self.curves:
            self._add_curves(made, duration)
        made.dynamics.integrated_lufs = -14.0 + 5.0 * self.arousal
        for kind, time_s, duration_s in self.events:
            made.dynamics.events.add(
                kind=apb.MusicEventKind.Value(f"MUSIC_EVENT_KIND_{kind.upper()}"),
                time_s=time_s,
                duration_s=duration_s,
            )
        return made

    def _add_parts(self, made: Analysis, duration: float) -> None:
        start, bar = 0.0, 0
        seen: dict[str, int] = {}
        for number, (label, function, bars, energy) in enumerate(self.parts):
            bar += bars
            seen[label] = seen.get(label, 0) + 1
            last = number == len(self.parts) - 1
            end = duration if last else self.lead_in_s + bar * self.bar_s
            section = made.sections.add(
                start_s=start, end_s=end, label=label, occurrence=seen[label], energy=energy
            )
            if self.function_names:
                section.function = apb.SectionFunction.Value(f"SECTION_FUNCTION_{function.upper()}")
            section.emotion.valence = max(-1.0, min(1.0, self.valence + 0.2 * (energy - 0.5)))
            section.emotion.arousal = max(-1.0, min(1.0, self.arousal + 0.6 * (energy - 0.5)))
            start = end

    def _add_curves(self, made: Analysis, duration: float) -> None:
        count = int(duration / self.hop_s) + 1
        times = np.arange(count) * self.hop_s
        level = np.zeros(count)
        for section, part in zip(made.sections, self.parts, strict=True):
            level[(times >= section.start_s) & (times < section.end_s)] = part[3]
        phase = np.mod(times - self.lead_in_s, 60.0 / self.bpm) * self.bpm / 60.0
        pulse = np.exp(-6.0 * phase)
        wave = 0.06 * np.sin(2 * np.pi * times / 7.3)
        for kind, values in (
            (apb.CURVE_KIND_ENERGY, level + wave),
            (apb.CURVE_KIND_BASS, level * (0.6 + 0.4 * pulse)),
            (apb.CURVE_KIND_ONSET, pulse * (0.3 + 0.7 * level)),
            (apb.CURVE_KIND_BRIGHTNESS, 0.3 + 0.5 * level),
        ):
            clipped = np.clip(values, 0.0, 1.0).astype(np.float32)
            made.dynamics.curves.add(kind=kind, hop_s=self.hop_s, values=clipped.tolist())


def video_frames(analysis: Analysis, num: int, den: int) -> int:
    """Frames of the video over a song, by the suite's formula."""
    audio = analysis.audio
    scale = audio.sample_rate_hz * den
    return max(1, (2 * audio.samples * num + scale) // (2 * scale))


METAL = HandmadeSong(
    bpm=180.0,
    minor=True,
    valence=-0.45,
    arousal=0.85,
    title="",
    tags=(
        ("genre", "metal", 0.8),
        ("genre", "hard rock", 0.5),
        ("instrument", "guitar", 0.6),
        ("instrument", "drums", 0.4),
        ("mood", "loud", 0.5),
    ),
    parts=(
        ("A", "intro", 8, 0.45),
        ("B", "verse", 24, 0.75),
        ("C", "chorus", 16, 0.95),
        ("B", "verse", 24, 0.78),
        ("C", "chorus", 16, 0.97),
        ("D", "break", 12, 0.3),
        ("E", "solo", 16, 0.9),
        ("C", "chorus", 24, 1.0),
        ("A", "outro", 8, 0.4),
    ),
    events=(("climax", 140.0, 0.0),),
)
AMBIENT = HandmadeSong(
    bpm=68.0,
    valence=0.1,
    arousal=-0.8,
    tags=(
        ("genre", "ambient", 0.9),
        ("mood", "chillout", 0.5),
        ("instrument", "synth", 0.4),
        ("mood", "slow", 0.4),
    ),
    parts=(
        ("A", "intro", 10, 0.2),
        ("B", "verse", 20, 0.5),
        ("C", "verse", 16, 0.8),
        ("B", "verse", 16, 0.6),
        ("A", "outro", 8, 0.15),
    ),
)
POP = HandmadeSong(
    bpm=120.0,
    valence=0.7,
    arousal=0.4,
    title="Paper Lanterns",
    tags=(
        ("genre", "pop", 0.9),
        ("genre", "dance", 0.6),
        ("voice", "female vocalists", 0.7),
        ("mood", "catchy", 0.5),
    ),
    parts=(
        ("A", "intro", 8, 0.3),
        ("B", "verse", 16, 0.5),
        ("C", "pre_chorus", 8, 0.6),
        ("D", "chorus", 16, 0.95),
        ("B", "verse", 16, 0.55),
        ("C", "pre_chorus", 8, 0.65),
        ("D", "chorus", 16, 0.95),
        ("E", "bridge", 8, 0.35),
        ("D", "chorus", 16, 1.0),
        ("A", "outro", 8, 0.3),
    ),
    events=(("build_up", 40.2, 16.0), ("drop", 64.2, 0.0)),
)
ORCHESTRAL = HandmadeSong(
    bpm=84.0,
    minor=True,
    valence=-0.2,
    arousal=-0.1,
    beats_per_bar=3,
    beats_confidence=0.2,
    tags=(
        ("genre", "classical", 0.8),
        ("instrument", "strings", 0.7),
        ("instrument", "violin", 0.5),
        ("genre", "soundtrack", 0.4),
    ),
    parts=(
        ("A", "intro", 12, 0.2),
        ("B", "unspecified", 24, 0.45),
        ("C", "unspecified", 24, 0.85),
        ("B", "unspecified", 20, 0.5),
        ("C", "unspecified", 24, 1.0),
        ("D", "outro", 12, 0.25),
    ),
)


@pytest.fixture(scope="session")
def styles() -> dict[str, HandmadeSong]:
    """Four songs of different styles."""
    return {"metal": METAL, "ambient": AMBIENT, "pop": POP, "orchestral": ORCHESTRAL}


@pytest.fixture(scope="session")
def handmade() -> type[HandmadeSong]:
    """Makes songs."""
    return HandmadeSong


@pytest.fixture(scope="session")
def frames_of() -> Callable[[Analysis, int, int], int]:
    """Counts a video's frames from a song's samples."""
    return video_frames
