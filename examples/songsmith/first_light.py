"""The example song, "First Light", written by hand.

D major at 126 beats a minute, where a beat is exactly 21,000 samples. The verse avoids the tonic
in the bass, so that the chorus lifts when it lands there; the intro hints at the hook, and the
outro takes it home.
"""

from songsmith.arrangement import arrange
from songsmith.material import Strophe, parse_melody
from songsmith.score import Song, TempoMark
from songsmith.theory import Key, Metre
from songsmith.timbres import TIMBRES

FORM = (
    ("intro", 4),
    ("verse", 4),
    ("chorus", 4),
    ("verse", 4),
    ("chorus", 4),
    ("outro", 4),
)

HOOK = "3:6 5:6 3:2 2:2"

# Progression and melody, bar by bar.
WRITTEN = {
    "intro": (
        ("I", "vi7", "IVmaj7", "Vsus4 V"),
        ("", "", HOOK, "1:8 7,:8"),
    ),
    "verse": (
        ("IVmaj7", "I/3", "ii7", "Vsus4 V"),
        (
            "-:2 6,:2 5,:2 6,:4 -:2 1:4",
            "5,:6 -:4 3,:2 5,:4",
            "-:2 4,:2 3,:2 4,:4 -:2 6,:4",
            "5,:6 6,:2 7,:2 -:2 2:4",
        ),
    ),
    "chorus": (
        ("I", "V/3", "vi7", "IV V"),
        (HOOK, "2:6 7,:6 -:2 5,:2", "1:6 3:6 2:2 1:2", "6,:4 1:4 2:4 7,:4"),
    ),
    "outro": (
        ("I", "vi7", "IV V", "I"),
        (HOOK, "1:6 3:6 2:2 1:2", "6,:8 7,:8", "1:16"),
    ),
}


def first_light(seed: int = 1) -> Song:
    """The example song; the seed varies the players' touch and the drums' noise, not the notes."""
    strophes = {
        function: Strophe(progression, tuple(parse_melody(bar) for bar in melody))
        for function, (progression, melody) in WRITTEN.items()
    }
    return arrange(
        title="First Light",
        artist="Soundsight",
        key=Key("D", "major"),
        metre=Metre(4, 4),
        tempi=(TempoMark(0, 126.0),),
        form=FORM,
        strophes=strophes,
        timbre=TIMBRES["dawn"],
        seed=seed,
    )
