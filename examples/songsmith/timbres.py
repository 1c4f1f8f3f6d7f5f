"""Who plays: a band is a choice of one instrument for each part."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timbre:
    """Instrument names (keys of `instruments.INSTRUMENTS`) for the parts of a song.

    An empty name leaves a part out. `riffs` (keys of `players.RIFFS`) are what the rhythm guitar
    plays; `drummer` is a key of `drummers.DRUMMERS`.
    """

    pad: str
    stabs: str
    arpeggio: str
    bass: str
    quiet_lead: str
    verse_lead: str
    chorus_lead: str
    riff: str = ""
    riffs: tuple[str, ...] = ("eighths",)
    walking_bass: bool = False
    drummer: str = "studio"


# What chance may choose; the others are for those who ask for them.
COMMON = ("chapel", "dawn", "workshop")

TIMBRES: dict[str, Timbre] = {
    "dawn": Timbre(
        pad="supersaw_pad",
        stabs="supersaw_stab",
        arpeggio="plucked_string",
        bass="synth_bass",
        quiet_lead="glass_bell",
        verse_lead="electric_piano",
        chorus_lead="saw_lead",
    ),
    "chapel": Timbre(
        pad="organ",
        stabs="electric_piano",
        arpeggio="electric_piano",
        bass="sub_bass",
        quiet_lead="glass_bell",
        verse_lead="flute",
        chorus_lead="flute",
    ),
    "workshop": Timbre(
        pad="organ",
        stabs="plucked_string",
        arpeggio="plucked_string",
        bass="synth_bass",
        quiet_lead="plucked_string",
        verse_lead="plucked_string",
        chorus_lead="saw_lead",
    ),
    "garage": Timbre(
        pad="organ",
        stabs="",
        arpeggio="plucked_string",
        bass="synth_bass",
        quiet_lead="electric_piano",
        verse_lead="electric_piano",
        chorus_lead="lead_guitar",
        riff="distorted_guitar",
        riffs=("eighths", "ringing", "chug"),
        drummer="rock",
    ),
    "club": Timbre(
        pad="organ",
        stabs="piano",
        arpeggio="electric_piano",
        bass="plucked_string",
        quiet_lead="glass_bell",
        verse_lead="flute",
        chorus_lead="piano",
        walking_bass=True,
        drummer="jazz",
    ),
    "hall": Timbre(
        pad="strings",
        stabs="",
        arpeggio="piano",
        bass="strings",
        quiet_lead="flute",
        verse_lead="flute",
        chorus_lead="strings",
        drummer="none",
    ),
    "salon": Timbre(
        pad="strings",
        stabs="strings",
        arpeggio="plucked_string",
        bass="plucked_string",
        quiet_lead="piano",
        verse_lead="piano",
        chorus_lead="piano",
        drummer="none",
    ),
    "forge": Timbre(
        pad="strings",
        stabs="",
        arpeggio="",
        bass="synth_bass",
        quiet_lead="plucked_string",
        verse_lead="lead_guitar",
        chorus_lead="lead_guitar",
        riff="distorted_guitar",
        riffs=("syncopated", "tremolo", "gallop"),
        drummer="double_bass",
    ),
    "tempest": Timbre(
        pad="strings",
        stabs="",
        arpeggio="",
        bass="synth_bass",
        quiet_lead="plucked_string",
        verse_lead="lead_guitar",
        chorus_lead="lead_guitar",
        riff="distorted_guitar",
        riffs=("tremolo", "syncopated"),
        drummer="blast",
    ),
    "quarry": Timbre(
        pad="strings",
        stabs="",
        arpeggio="",
        bass="synth_bass",
        quiet_lead="plucked_string",
        verse_lead="lead_guitar",
        chorus_lead="lead_guitar",
        riff="distorted_guitar",
        riffs=("tremolo", "syncopated"),
        drummer="grind",
    ),
    "anvil": Timbre(
        pad="organ",
        stabs="",
        arpeggio="",
        bass="synth_bass",
        quiet_lead="plucked_string",
        verse_lead="lead_guitar",
        chorus_lead="lead_guitar",
        riff="distorted_guitar",
        riffs=("chug", "gallop", "eighths"),
        drummer="thrash",
    ),
}
