"""Keys, chords and metres: the vocabulary of a song, before any sound."""

import re
from dataclasses import dataclass

PITCH_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
}

# Semitones above the root, named as in Harte et al., "Symbolic representation of musical chords"
# (ISMIR 2005), the syntax that mir_eval reads.
QUALITIES: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "sus4": (0, 5, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
}

NUMERALS = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7}
NUMERAL_PATTERN = re.compile(
    r"(?P<numeral>[iv]+|[IV]+)(?P<colour>maj7|sus4|dim|7)?(?P<inversion>/[35])?"
)


@dataclass(frozen=True)
class Key:
    """A tonic (one of `PITCH_NAMES`) and a mode ("major" or "minor")."""

    tonic: str
    mode: str

    def __post_init__(self) -> None:
        if self.tonic not in PITCH_NAMES or self.mode not in SCALES:
            raise ValueError(f"no such key: {self.tonic} {self.mode}")

    def midi(self, degree: int, octave: int = 5) -> int:
        """MIDI pitch of a scale degree; 1 is the tonic in `octave`, 8 the one above, 0 just below.

        Octaves are numbered from C, so that C4 is MIDI 60.
        """
        octaves, step = divmod(degree - 1, 7)
        tonic_midi = 12 * (octave + 1) + PITCH_NAMES.index(self.tonic)
        return tonic_midi + 12 * octaves + SCALES[self.mode][step]

    def pitch_classes(self) -> frozenset[int]:
        """The seven pitch classes of the scale, 0 being C."""
        return frozenset(self.midi(degree) % 12 for degree in range(1, 8))


@dataclass(frozen=True)
class Chord:
    """A chord on a root (pitch class 0 to 11) with one of its own tones in the bass."""

    root: int
    quality: str
    inversion: int = 0

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes, the root first."""
        return tuple((self.root + semitones) % 12 for semitones in QUALITIES[self.quality])

    @property
    def bass(self) -> int:
        """Pitch class of the lowest note."""
        return self.pitch_classes[self.inversion]

    @property
    def label(self) -> str:
        """The chord in Harte's syntax, such as `D:maj/3`."""
        bass_interval = QUALITIES[self.quality][self.inversion]
        bass_names = {0: "", 3: "/b3", 4: "/3", 5: "/4", 6: "/b5", 7: "/5"}
        return f"{PITCH_NAMES[self.root]}:{self.quality}{bass_names[bass_interval]}"


def chord_in_key(key: Key, numeral: str) -> Chord:
    """The chord that a roman numeral names in a key.

    Upper case is major, lower case minor; `maj7`, `7`, `sus4` and `dim` colour it; `/3` and `/5`
    put the third or fifth in the bass. In minor, `V` is major, with the raised leading note.
    """
    match = NUMERAL_PATTERN.fullmatch(numeral)
    if match is None or match["numeral"].lower() not in NUMERALS:
        raise ValueError(f"not a chord numeral: {numeral!r}")
    colour = match["colour"] or ""
    if match["numeral"].islower():
        quality = {"": "min", "7": "min7"}.get(colour, colour)
    else:
        quality = colour or "maj"
    root = key.midi(NUMERALS[match["numeral"].lower()]) % 12
    inversion = {None: 0, "/3": 1, "/5": 2}[match["inversion"]]
    return Chord(root, quality, inversion)


@dataclass(frozen=True)
class Metre:
    """A time signature on a grid of sixteenth notes (`steps`).

    The beat is what a foot taps: the quarter note in simple metres, the dotted quarter in 6/8.
    """

    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        if (self.numerator, self.denominator) not in {(2, 4), (3, 4), (4, 4), (6, 8)}:
            raise ValueError(f"unsupported metre: {self.numerator}/{self.denominator}")

    @classmethod
    def parse(cls, text: str) -> "Metre":
        """Read a metre such as `6/8`."""
        numerator, _, denominator = text.partition("/")
        return cls(int(numerator), int(denominator))

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"

    @property
    def compound(self) -> bool:
        """Whether a beat divides into three."""
        return self.denominator == 8

    @property
    def steps_per_beat(self) -> int:
        return 6 if self.compound else 4

    @property
    def beats_per_bar(self) -> int:
        return self.numerator // 3 if self.compound else self.numerator

    @property
    def steps_per_bar(self) -> int:
        return self.steps_per_beat * self.beats_per_bar
