"""Songs to measure an analyzer with: two fixed sets, each song made from its description alone.

`STANDARD` goes evenly through tempi, metres, keys, forms and bands. `HARD` is what trackers fail
at: swing, drift, distortion, double-bass drumming, no drums, lossy encoding. A song's truth is
exact in both; players of the hard ones stray from it by a few milliseconds, as people do.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from songsmith.invention import compose
from songsmith.rendering import render
from songsmith.score import Feel, Finish, KeyMark, Song, TempoMark, Truth, truth_of
from songsmith.theory import PITCH_NAMES, Key, Metre

# Sections and their relative lengths.
FORMS: dict[str, tuple[tuple[str, int], ...]] = {
    "strophic": (
        ("intro", 1), ("verse", 2), ("chorus", 2), ("verse", 2), ("chorus", 2), ("outro", 1),
    ),
    "pop": (
        ("intro", 1), ("verse", 2), ("pre-chorus", 1), ("chorus", 2), ("verse", 2),
        ("pre-chorus", 1), ("chorus", 2), ("bridge", 2), ("chorus", 2), ("outro", 1),
    ),
    "bridge": (
        ("intro", 1), ("verse", 2), ("chorus", 2), ("verse", 2), ("chorus", 2), ("bridge", 2),
        ("chorus", 2), ("outro", 1),
    ),
    "solo": (
        ("intro", 1), ("verse", 2), ("chorus", 1), ("verse", 2), ("chorus", 1), ("solo", 2),
        ("chorus", 1), ("outro", 1),
    ),
    "break": (
        ("intro", 2), ("chorus", 2), ("verse", 2), ("chorus", 2), ("break", 2), ("chorus", 2),
        ("outro", 1),
    ),
    "ballad": (
        ("verse", 2), ("chorus", 2), ("verse", 2), ("bridge", 1), ("chorus", 2), ("outro", 1),
    ),
}  # fmt: skip

LONGEST_S = 108.0
# Bars of one unit of a form: phrases are four bars long, and their halves and multiples.
UNITS_BARS = (8, 4, 2)

# A tempo that wanders: the standard deviation of a bar's step, and the bounds, as shares.
DRIFT_STEP, DRIFT_BOUND = 0.008, 0.06

LOUD = Finish(drive_db=14.0, loudness_lufs=-7.5, pump=False)
METAL = Finish(drive_db=6.0, loudness_lufs=-8.5, pump=False)
ACOUSTIC = Finish(loudness_lufs=-16.0, pump=False)
HUMAN = Feel(jitter_s=0.004)


@dataclass(frozen=True)
class Entry:
    """A song of the catalogue; `mp3_kbps` is what it is encoded to and decoded from, 0 for not."""

    name: str
    song: Song
    mp3_kbps: int = 0

    @cached_property
    def truth(self) -> Truth:
        """What is so about the song."""
        return truth_of(self.song)

    @property
    def digest(self) -> str:
        """Names the samples: what is played, and the code that plays it."""
        described = f"{_code_digest()} {self.song!r}"
        if self.mp3_kbps:
            described += f" {self.mp3_kbps} {_digest_of(('files.py',))}"
        return hashlib.sha256(described.encode()).hexdigest()[:16]

    def flac(self, folder: Path) -> Path:
        """The song as a stereo FLAC file in a folder, where it is kept for the next time."""
        from songsmith.files import through_mp3, write_flac

        path = folder / f"{self.name}-{self.digest}.flac"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            samples = render(self.song)
            if self.mp3_kbps:
                samples = through_mp3(samples, self.mp3_kbps)
            # Renamed when whole, so that two processes may fill one folder.
            unfinished = path.with_suffix(f".{os.getpid()}.part")
            write_flac(unfinished, samples, {"title": self.song.title})
            unfinished.rename(path)
        return path


@dataclass(frozen=True)
class KnownSong:
    """A song played: mono samples (n,) at 44.1 kHz around full scale 1, its file and its truth."""

    name: str
    samples: NDArray[np.float32]
    path: Path
    truth: Truth


def played(entries: Iterable[Entry], folder: Path) -> Iterator[KnownSong]:
    """The songs one by one, rendered into a folder when they are not there yet."""
    from songsmith.files import read_mono

    for entry in entries:
        path = entry.flac(folder)
        yield KnownSong(entry.name, read_mono(path), path, entry.truth)


def shaped(form: str, metre: str, bpm: float) -> tuple[tuple[str, int], ...]:
    """A form in bars, as long as fits a song of LONGEST_S."""
    weights = FORMS[form]
    bar_s = Metre.parse(metre).beats_per_bar * 60.0 / bpm
    units = sum(weight for _, weight in weights)
    bars = next((unit for unit in UNITS_BARS if units * unit * bar_s <= LONGEST_S), UNITS_BARS[-1])
    return tuple((function, weight * bars) for function, weight in weights)


def drifting(bpm: float, bars: int, seed: int) -> tuple[TempoMark, ...]:
    """A tempo that wanders slowly around `bpm`: one mark for every bar but the first."""
    rng = np.random.default_rng([seed, 7])
    marks, share = [], 0.0
    for bar in range(1, bars):
        # Pulled back to the middle, so that it wanders and does not leave.
        share = 0.97 * share + DRIFT_STEP * rng.standard_normal()
        share = float(np.clip(share, -DRIFT_BOUND, DRIFT_BOUND))
        marks.append(TempoMark(bar, bpm * (1.0 + share)))
    return tuple(marks)


def _last_chorus_bar(form: tuple[tuple[str, int], ...]) -> int:
    index = max(index for index, (function, _) in enumerate(form) if function == "chorus")
    return sum(bars for _, bars in form[:index])


def _entry(
    name: str,
    seed: int,
    bpm: float,
    metre: str,
    form: str,
    key: str,
    timbre: str,
    *,
    to_bpm: float | None = None,
    rise: int = 0,
    drift: bool = False,
    feel: Feel | None = None,
    finish: Finish | None = None,
    mp3_kbps: int = 0,
) -> Entry:
    """One song. `to_bpm` is its tempo from the middle section on; `rise` lifts the last chorus."""
    shape = shaped(form, metre, bpm)
    tonic, mode = key.removesuffix("m"), "minor" if key.endswith("m") else "major"
    tempi: tuple[TempoMark, ...] = ()
    keys: tuple[KeyMark, ...] = ()
    if to_bpm is not None:
        tempi = (TempoMark(sum(bars for _, bars in shape[: len(shape) // 2]), to_bpm),)
    if drift:
        tempi = drifting(bpm, sum(bars for _, bars in shape), seed)
    if rise:
        lifted = PITCH_NAMES[(PITCH_NAMES.index(tonic) + rise) % 12]
        keys = (KeyMark(_last_chorus_bar(shape), Key(lifted, mode)),)
    song = compose(
        seed,
        tempo_bpm=bpm,
        metre=metre,
        form=shape,
        key=Key(tonic, mode),
        timbre=timbre,
        later_tempi=tempi,
        later_keys=keys,
        # No song begins on its first sample for long: leads in by up to half a second.
        lead_in_s=(seed % 6) / 10,
        feel=feel,
        finish=finish,
    )
    return Entry(name, song, mp3_kbps)


@cache
def _code_digest() -> str:
    """Names the code that plays songs."""
    names = sorted(path.name for path in Path(__file__).parent.glob("*.py"))
    return _digest_of(tuple(name for name in names if name not in {"catalogue.py", "files.py"}))


@cache
def _digest_of(names: tuple[str, ...]) -> str:
    """Names these modules' code, whatever its layout and comments."""
    code = hashlib.sha256()
    for name in names:
        source = Path(__file__).with_name(name).read_text(encoding="utf-8")
        code.update(ast.dump(ast.parse(source)).encode())
    return code.hexdigest()


# Every tonic in both modes; tempi from 60 to 200; dotted quarters where beats divide into three.
STANDARD = (
    _entry("s01-60-chapel", 101, 60, "4/4", "strophic", "C", "chapel"),
    _entry("s02-64-dawn-6-8", 102, 64, "6/8", "bridge", "Am", "dawn"),
    _entry("s03-68-workshop", 103, 68, "4/4", "ballad", "F", "workshop"),
    _entry("s04-73-chapel-6-8", 104, 73, "6/8", "pop", "Gm", "chapel"),
    _entry("s05-78-dawn", 105, 78, "4/4", "strophic", "C#m", "dawn"),
    _entry("s06-82-garage-6-8", 106, 82, "6/8", "solo", "E", "garage"),
    _entry("s07-86-club", 107, 86, "4/4", "bridge", "Bb", "club", finish=ACOUSTIC),
    _entry("s08-90-workshop-3-4", 108, 90, "3/4", "strophic", "D", "workshop"),
    _entry("s09-95-dawn", 109, 95, "4/4", "bridge", "F#m", "dawn", rise=2),
    _entry("s10-99-chapel", 110, 99, "4/4", "ballad", "Ab", "chapel"),
    _entry("s11-103-garage", 111, 103, "4/4", "bridge", "Em", "garage", to_bpm=118),
    _entry("s12-108-chapel-3-4", 112, 108, "3/4", "pop", "G", "chapel"),
    _entry("s13-112-workshop-6-8", 113, 112, "6/8", "solo", "Dm", "workshop"),
    _entry("s14-116-dawn", 114, 116, "4/4", "pop", "A", "dawn", rise=1),
    _entry("s15-120-workshop", 115, 120, "4/4", "break", "Cm", "workshop"),
    _entry("s16-125-garage", 116, 125, "4/4", "solo", "B", "garage"),
    _entry("s17-130-dawn-3-4", 117, 130, "3/4", "bridge", "Fm", "dawn"),
    _entry("s18-135-chapel", 118, 135, "4/4", "break", "Eb", "chapel", to_bpm=120),
    _entry("s19-140-dawn", 119, 140, "4/4", "break", "Bm", "dawn"),
    _entry("s20-146-garage-3-4", 120, 146, "3/4", "bridge", "F#", "garage"),
    _entry("s21-152-workshop", 121, 152, "4/4", "bridge", "Abm", "workshop"),
    _entry("s22-158-garage", 122, 158, "4/4", "pop", "C#", "garage"),
    _entry("s23-164-club", 123, 164, "4/4", "solo", "Bbm", "club", finish=ACOUSTIC),
    _entry("s24-170-chapel-3-4", 124, 170, "3/4", "pop", "Ebm", "chapel"),
    _entry("s25-178-garage", 125, 178, "4/4", "bridge", "D", "garage", rise=2),
    _entry("s26-184-workshop", 126, 184, "4/4", "strophic", "Am", "workshop"),
    _entry("s27-192-dawn", 127, 192, "4/4", "pop", "G", "dawn"),
    _entry("s28-200-garage", 128, 200, "4/4", "strophic", "Em", "garage"),
)

HARD = (
    _entry(
        "h01-swing-club-132", 201, 132, "4/4", "solo", "Bb", "club",
        feel=Feel(swing=0.66, jitter_s=0.004), finish=ACOUSTIC,
    ),
    _entry(
        "h02-swing-shuffle-118", 202, 118, "4/4", "solo", "A", "garage",
        feel=Feel(swing=0.64, jitter_s=0.004),
    ),
    _entry(
        "h03-swing-club-184", 203, 184, "4/4", "strophic", "Fm", "club",
        feel=Feel(swing=0.62, jitter_s=0.004), finish=ACOUSTIC,
    ),
    _entry("h04-drift-garage-104", 204, 104, "4/4", "solo", "G", "garage", drift=True, feel=HUMAN),
    _entry(
        "h05-drift-chapel-3-4-126", 205, 126, "3/4", "bridge", "Cm", "chapel",
        drift=True, feel=HUMAN, finish=ACOUSTIC,
    ),
    _entry(
        "h06-drift-swing-club-96", 206, 96, "4/4", "ballad", "Eb", "club",
        drift=True, feel=Feel(swing=0.66, jitter_s=0.005), finish=ACOUSTIC,
    ),
    _entry(
        "h07-distorted-garage-150", 207, 150, "4/4", "bridge", "Em", "garage",
        feel=HUMAN, finish=LOUD,
    ),
    _entry(
        "h08-distorted-dawn-128", 208, 128, "4/4", "break", "F#m", "dawn",
        feel=HUMAN, finish=Finish(drive_db=18.0, loudness_lufs=-7.0),
    ),
    _entry("h09-metal-forge-170", 209, 170, "4/4", "bridge", "Em", "forge",
           feel=HUMAN, finish=METAL),
    _entry("h10-metal-tempest-180", 210, 180, "4/4", "pop", "Dm", "tempest",
           feel=HUMAN, finish=METAL),
    _entry("h11-metal-anvil-176", 211, 176, "4/4", "solo", "C#m", "anvil",
           feel=HUMAN, finish=METAL),
    _entry("h12-metal-forge-190", 212, 190, "4/4", "pop", "Bm", "forge",
           feel=HUMAN, finish=LOUD),
    _entry("h13-metal-anvil-186-drift", 213, 186, "4/4", "bridge", "Fm", "anvil",
           drift=True, feel=HUMAN, finish=METAL),
    _entry("h14-no-drums-hall-72", 214, 72, "4/4", "strophic", "D", "hall",
           feel=HUMAN, finish=ACOUSTIC),
    _entry("h15-no-drums-salon-3-4-138", 215, 138, "3/4", "bridge", "Ab", "salon",
           feel=HUMAN, finish=ACOUSTIC),
    _entry("h16-no-drums-hall-6-8-66", 216, 66, "6/8", "ballad", "Gm", "hall",
           feel=HUMAN, finish=ACOUSTIC),
    _entry("h17-no-drums-hall-112-drift", 217, 112, "4/4", "bridge", "Am", "hall",
           drift=True, feel=HUMAN, finish=ACOUSTIC),
    _entry("h18-mp3-dawn-140", 218, 140, "4/4", "bridge", "C", "dawn", feel=HUMAN, mp3_kbps=64),
    _entry("h19-mp3-metal-tempest-174", 219, 174, "4/4", "bridge", "Ebm", "tempest",
           feel=HUMAN, finish=LOUD, mp3_kbps=64),
    _entry("h20-mp3-no-drums-salon-90", 220, 90, "4/4", "bridge", "F", "salon",
           drift=True, feel=HUMAN, finish=ACOUSTIC, mp3_kbps=64),
    _entry("h21-metal-quarry-182", 221, 182, "4/4", "bridge", "F#m", "quarry",
           feel=HUMAN, finish=LOUD),
    _entry("h22-mp3-metal-quarry-172-drift", 222, 172, "4/4", "solo", "Am", "quarry",
           drift=True, feel=HUMAN, finish=METAL, mp3_kbps=64),
)  # fmt: skip
