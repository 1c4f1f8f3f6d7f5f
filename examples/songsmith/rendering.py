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
# Notes are held for a multiple of so many samples, a millisecond: notes of one length stay equal
# where the tempo drifts, and equal notes are made once.
HELD_GRID = 50


def render(song: Song) -> NDArray[np.int16]:
    """Play a song at 44.1 kHz; shape (samples, 2). The same song always gives the same samples."""
    timeline = Timeline(song)
    tracks = {
        part.name: play_part(part, Hands(song, timeline, index), song.seed)
        for index, part in enumerate(song.parts)
        if part.notes
    }
    # The drummer is the last player.
    drummer = Hands(song, timeline, len(song.parts))
    tracks |= play_hits(song, drummer)
    kicks = [
        (drummer.sample_at(hit.step), hit.velocity)
        for hit in song.hits
        if hit.drum == "kick" and song.finish.pump
    ]
    # A dotted eighth, or a whole beat where beats divide into three.
    echo_samples = timeline.sample_at(6 if song.metre.compound else 3) - timeline.sample_at(0)
    stereo = mix(tracks, kicks, echo_samples, np.random.default_rng([song.seed, 3]))
    finished = master(
        stereo,
        timeline.samples - timeline.end_of_bars,
        song.finish.loudness_lufs,
        song.finish.drive_db,
    )
    return to_int16(finished, np.random.default_rng([song.seed, 4]))


class Hands:
    """One player's hands: the timeline, and by how much each of its steps is struck off time."""

    def __init__(self, song: Song, timeline: Timeline, player: int) -> None:
        self.timeline = timeline
        steps = song.bars * song.metre.steps_per_bar + 1
        strayed = np.random.default_rng([song.seed, 6, player]).standard_normal(steps)
        spread = song.feel.jitter_s * timeline.sample_rate_hz
        self._late = np.rint(spread * np.clip(strayed, -2.0, 2.0)).astype(np.int64)

    def sample_at(self, step: int) -> int:
        """The sample at which this player strikes a step; never before the song begins."""
        return max(0, self.timeline.sample_at(step) + int(self._late[step]))


def play_part(part: Part, hands: Hands, seed: int) -> Signal:
    """One part alone; shape (samples, 2)."""
    instrument = INSTRUMENTS[part.instrument]

    @lru_cache(maxsize=64)
    def sound(midi: int, held: int, brightness: float) -> Signal:
        hz = 440.0 * 2.0 ** ((midi - 69) / 12)
        return instrument(hz, held, brightness, np.random.default_rng([seed, 2, midi]))

    timeline = hands.timeline
    track = np.zeros((timeline.samples, 2), dtype=np.float32)
    for note in part.notes:
        end = timeline.sample_at(note.start_step + note.steps)
        held = HELD_GRID * round((end - timeline.sample_at(note.start_step)) / HELD_GRID)
        # Rounded, so that equal notes are made once.
        tone = sound(note.midi, held, round(note.brightness, 2))
        place(track, hands.sample_at(note.start_step), tone, note.velocity)
    return track


def play_hits(song: Song, hands: Hands) -> dict[str, Signal]:
    """Each drum that is struck, on a track of its own; shape (samples, 2)."""
    tracks: dict[str, Signal] = {}
    for index, drum in enumerate(sorted({hit.drum for hit in song.hits})):
        rng = np.random.default_rng([song.seed, 5, index])
        hits = [hit for hit in song.hits if hit.drum == drum]
        track = np.zeros((hands.timeline.samples, 2), dtype=np.float32)
        for hit, sound in zip(hits, sounds_for(hits, song, hands.timeline, rng), strict=True):
            place(track, hands.sample_at(hit.step), sound, hit.velocity)
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
    length = max(0, min(len(sound), len(track) - start))
    track[start : start + length] += np.float32(velocity) * sound[:length]
