"""Who plays: a band is a choice of one instrument for each part."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timbre:
    """Instrument names (keys of `instruments.INSTRUMENTS`) for the parts of a song."""

    pad: str
    stabs: str
    arpeggio: str
    bass: str
    quiet_lead: str
    verse_lead: str
    chorus_lead: str


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
}
