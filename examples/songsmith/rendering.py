"""Playing a song: from its description to finished samples."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from songsmith.drums import DRUMS, swell
from songsmith.instruments import INSTRUMENTS
from songsmith.mastering import master, to_int16
from songsmith.mixing import mix
from songsmith.score import Hit, Part, Song, Timeline
from songsmith.signals import Signal

# Two hats of one drummer never sound the same.
TAKES_PER_DRUM = 3


def render(song: Song) -> NDArray[np.int16]:
    """Play a song at 44.1 kHz; shape (samples, 2). The same song always gives the same samples."""
    timeline = Timeline(song)
    tracks = {part.name: play_part(part, timeline, song.seed) for part in song.parts if part.notes}
    tracks |= play_hits(song, timeline)
    kicks = [
        (timeline.sample_at(hit.step), hit.velocity) for hit in song.hits if hit.drum == "kick"
    ]
    # A dotted eighth, or a whole beat where beats divide into three.
    echo_samples = timeline.sample_at(6 if song.metre.compound else 3) - timeline.sample_at(0)
    stereo = mix(tracks, kicks, echo_samples, np.random.default_rng([song.seed, 3]))
    finished = master(stereo, timeline.samples - timeline.end_of_bars)
    return to_int16(finished, np.random.default_rng([song.seed, 4]))


def play_part(part: Part, timeline: Timeline, seed: int) -> Signal:
    """One part alone; shape (samples, 2)."""
    instrument = INSTRUMENTS[part.instrument]

    @lru_cache(maxsize=64)
    def sound(midi: int, held: int, brightness: float) -> Signal:
        hz = 440.0 * 2.0 ** ((midi - 69) / 12)
        return instrument(hz, held, brightness, np.random.default_rng([seed, 2, midi]))

    track = np.zeros((timeline.samples, 2), dtype=np.float32)
    for note in part.notes:
        start = timeline.sample_at(note.start_step)
        held = timeline.sample_at(note.start_step + note.steps) - start
        # Rounded, so that equal notes are made once.
        place(track, start, sound(note.midi, held, round(note.brightness, 2)), note.velocity)
    return track


def play_hits(song: Song, timeline: Timeline) -> dict[str, Signal]:
    """Each drum that is struck, on a track of its own; shape (samples, 2)."""
    tracks: dict[str, Signal] = {}
    for index, drum in enumerate(sorted({hit.drum for hit in song.hits})):
        rng = np.random.default_rng([song.seed, 5, index])
        hits = [hit for hit in song.hits if hit.drum == drum]
        track = np.zeros((timeline.samples, 2), dtype=np.float32)
        for hit, sound in zip(hits, sounds_for(hits, song, timeline, rng), strict=True):
            place(track, timeline.sample_at(hit.step), sound, hit.velocity)
        tracks[drum] = track
    return tracks


def sounds_for(
    hits: list[Hit], song: Song, timeline: Timeline, rng: np.random.Generator
) -> list[Signal]:
    """One sound for each stroke of one drum: a few takes in turn, or swells of the bar's length."""
    drum = hits[0].drum
    if drum != "swell":
        takes = [DRUMS[drum](rng) for _ in range(TAKES_PER_DRUM)]
        return [takes[number % TAKES_PER_DRUM] for number in range(len(hits))]
    bar = song.metre.steps_per_bar
    return [
        swell(timeline.sample_at(hit.step + bar) - timeline.sample_at(hit.step), rng)
        for hit in hits
    ]


def place(track: Signal, start: int, sound: Signal, velocity: float) -> None:
    """Add a sound to a track from a sample on, cut off where the track ends."""
    length = min(len(sound), len(track) - start)
    track[start : start + length] += np.float32(velocity) * sound[:length]
