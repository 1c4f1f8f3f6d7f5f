"""The tags of the two musicnn models, in the order of their outputs, and the group of each.

Both lists are ordered by how often a tag occurs in the model's training data (configuration.py of
musicnn 0.1.0).
"""

from __future__ import annotations

from collections.abc import Mapping

MSD_LABELS: tuple[str, ...] = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists",
    "classic rock", "soul", "indie rock", "mellow", "electronica", "80s", "folk", "90s", "chill",
    "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic", "experimental",
    "female vocalist", "guitar", "hip-hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "progressive rock", "60s", "rnb", "indie pop",
    "sad", "house", "happy",
)  # fmt: skip

MTT_LABELS: tuple[str, ...] = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast",
    "piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male",
    "singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman",
    "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice",
    "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice",
    "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip

_GROUPS: Mapping[str, tuple[str, ...]] = {
    "mood": (
        "beautiful", "chillout", "mellow", "chill", "party", "easy listening", "sexy", "catchy",
        "sad", "happy", "slow", "fast", "loud", "quiet", "soft", "weird",
    ),
    "instrument": (
        "guitar", "strings", "drums", "piano", "violin", "synth", "harpsichord", "flute", "sitar",
        "harp", "cello", "beat", "beats", "acoustic",
    ),
    "voice": (
        "female vocalists", "male vocalists", "female vocalist", "instrumental", "vocal", "female",
        "male", "singing", "vocals", "no vocals", "woman", "male vocal", "no vocal", "man",
        "choir", "voice", "male voice", "female vocal", "no voice", "female voice", "choral",
        "solo",
    ),
    "era": ("00s", "80s", "90s", "70s", "60s", "oldies"),
}  # fmt: skip
_GROUP_OF = {label: group for group, labels in _GROUPS.items() for label in labels}


def group_of(label: str) -> str:
    """The contract's group of a tag; what is none of the others names a genre."""
    return _GROUP_OF.get(label, "genre")
