"""What the pitched players play in each bar: pad, stabs, arpeggio, bass and melody."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from songsmith.form import BASS_ENTERS, FULL, GROOVE, Bar
from songsmith.material import Strophe
from songsmith.score import Note, TimedChord
from songsmith.theory import Chord, Key, Metre

EIGHTH = 2

PAD_RANGE = range(54, 77)
PAD_CENTRE = 65
BASS_LOWEST = 30
MELODY_OCTAVE = 5
ARPEGGIO_ORDER = (0, 2, 1, 3, 2, 4, 3, 5)


def voicings(bars: Sequence[Bar]) -> Iterator[tuple[Bar, TimedChord, tuple[int, ...]]]:
    """Each chord with its pitches, close together and moving as little as possible."""
    previous: tuple[int, ...] = (PAD_CENTRE - 4, PAD_CENTRE, PAD_CENTRE + 4)
    for bar in bars:
        for timed in bar.chords:
            previous = nearest_voicing(timed.chord, previous)
            yield bar, timed, previous


def nearest_voicing(chord: Chord, previous: Sequence[int]) -> tuple[int, ...]:
    """The voicing within an octave or so whose notes lie nearest to the previous chord's."""
    choices = [
        [pitch for pitch in PAD_RANGE if pitch % 12 == pitch_class]
        for pitch_class in chord.pitch_classes
    ]

    def cost(pitches: tuple[int, ...]) -> int:
        moves = sum(min(abs(pitch - old) for old in previous) for pitch in pitches)
        spread = max(0, max(pitches) - min(pitches) - 12)
        drift = abs(sum(pitches) // len(pitches) - PAD_CENTRE)
        return moves + 4 * spread + drift

    return min((tuple(sorted(pitches)) for pitches in product(*choices)), key=cost)


def play_pad(bars: Sequence[Bar]) -> Iterator[Note]:
    """Sustained chords that open up as the song grows."""
    for bar, timed, pitches in voicings(bars):
        steps = ring(bar, timed.end_step - timed.start_step)
        # Where little else plays, the pad carries the song.
        velocity = 1.0 - 0.3 * bar.intensity
        for pitch in pitches:
            yield Note(timed.start_step, steps, pitch, velocity, bar.intensity)


def ring(bar: Bar, steps: int) -> int:
    """How long to hold a note: the last chord of the song is held on through the tail."""
    return 2 * steps if bar.final else steps


def play_stabs(bars: Sequence[Bar], metre: Metre) -> Iterator[Note]:
    """Short chords in full bars, in dotted rhythm against the beat."""
    for bar, timed, pitches in voicings(bars):
        if bar.intensity < FULL:
            continue
        for offset in range(0, metre.steps_per_bar, 6):
            step = bar.first_step + offset
            if timed.start_step <= step < timed.end_step:
                velocity = 0.9 if offset == 0 else 0.75
                for pitch in pitches:
                    yield Note(step, 3, pitch, velocity, 0.9)
                yield Note(step, 3, max(pitches) + 12, 0.6 * velocity, 0.9)


def play_arpeggio(bars: Sequence[Bar], metre: Metre) -> Iterator[Note]:
    """Broken chords in eighths, stressed on the beat and most on the downbeat."""
    for bar, timed, pitches in voicings(bars):
        ladder = [*pitches, *(pitch + 12 for pitch in pitches)]
        for index, step in enumerate(range(timed.start_step, timed.end_step, EIGHTH)):
            within_bar = step - bar.first_step
            stress = 0.5
            if within_bar == 0:
                stress = 1.0
            elif within_bar % metre.steps_per_beat == 0:
                stress = 0.8
            if bar.final:
                stress *= 1.0 - 0.6 * within_bar / metre.steps_per_bar
            rung = ARPEGGIO_ORDER[index % len(ARPEGGIO_ORDER)] % len(ladder)
            yield Note(step, 4, ladder[rung], stress, bar.intensity)


def play_bass(bars: Sequence[Bar], metre: Metre) -> Iterator[Note]:
    """Roots, held at first, then moving, then in driving eighths; each leads into the next."""
    playing = [(bar, timed) for bar in bars if bar.intensity >= BASS_ENTERS for timed in bar.chords]
    playing += [(bar, bar.chords[0]) for bar in bars if bar.final and bar.intensity < BASS_ENTERS]
    for index, (bar, timed) in enumerate(playing):
        root = bass_pitch(timed.chord)
        following = playing[index + 1][1].chord if index + 1 < len(playing) else timed.chord
        steps = timed.end_step - timed.start_step
        if bar.intensity < GROOVE or bar.final:
            yield Note(timed.start_step, ring(bar, steps), root, 0.85, bar.intensity)
            continue
        stride = EIGHTH if bar.intensity >= FULL else 6
        for step in range(timed.start_step, timed.end_step, stride):
            length = min(stride, timed.end_step - step)
            last = step + stride >= timed.end_step and steps > 6
            pitch = approach(root, bass_pitch(following), bar.key) if last else root
            on_beat = (step - bar.first_step) % metre.steps_per_beat == 0
            yield Note(step, length, pitch, 1.0 if on_beat else 0.8, bar.intensity)


def play_walking_bass(bars: Sequence[Bar], metre: Metre) -> Iterator[Note]:
    """A note a beat: root, then chord tones, the last one next to the root that follows."""
    playing = [(bar, timed) for bar in bars for timed in bar.chords]
    for index, (bar, timed) in enumerate(playing):
        root = bass_pitch(timed.chord)
        following = playing[index + 1][1].chord if index + 1 < len(playing) else timed.chord
        if bar.final:
            yield Note(timed.start_step, ring(bar, timed.end_step - timed.start_step), root, 0.9)
            continue
        tones = timed.chord.pitch_classes
        for beat, step in enumerate(range(timed.start_step, timed.end_step, metre.steps_per_beat)):
            pitch = root + (tones[beat % len(tones)] - root) % 12
            if beat and step + metre.steps_per_beat >= timed.end_step:
                pitch = approach(pitch, bass_pitch(following), bar.key)
            stress = 1.0 if step == bar.first_step else 0.85
            yield Note(step, metre.steps_per_beat, pitch, stress, bar.intensity)


# What a rhythm guitar repeats: (steps until it starts over, strokes), each stroke (step, steps, how
# open the string is).
RIFFS: dict[str, tuple[int, tuple[tuple[int, int, float], ...]]] = {
    "ringing": (4, ((0, 4, 0.9),)),
    "eighths": (4, ((0, 2, 0.8), (2, 2, 0.6))),
    "chug": (4, ((0, 2, 0.3), (2, 2, 0.3))),
    "gallop": (4, ((0, 2, 0.7), (2, 1, 0.2), (3, 1, 0.2))),
    "tremolo": (4, ((0, 1, 0.8), (1, 1, 0.6), (2, 1, 0.6), (3, 1, 0.6))),
    "syncopated": (
        16, ((0, 3, 0.8), (3, 3, 0.8), (6, 2, 0.3), (8, 3, 0.3), (11, 3, 0.8), (14, 2, 0.3)),
    ),
}  # fmt: skip
RIFF_LOWEST = 38


def play_riff(bars: Sequence[Bar], metre: Metre, riffs: Sequence[str]) -> Iterator[Note]:
    """Power chords: held where little plays, else the riff of the section, one of RIFFS.

    A section takes the riff of its label.
    """
    for bar in bars:
        for timed in bar.chords:
            pitch = RIFF_LOWEST + (timed.chord.bass - RIFF_LOWEST) % 12
            steps = timed.end_step - timed.start_step
            if bar.intensity < GROOVE or bar.final:
                yield Note(timed.start_step, ring(bar, steps), pitch, 0.8, 0.9)
                continue
            riff = riffs[ord(bar.section.label) % len(riffs)]
            cycle, strokes = RIFFS[riff]
            for begin in range(bar.first_step, bar.first_step + metre.steps_per_bar, cycle):
                for offset, length, openness in strokes:
                    if timed.start_step <= begin + offset < timed.end_step:
                        stress = 1.0 if offset == 0 else 0.85
                        yield Note(begin + offset, length, pitch, stress, openness)


def bass_pitch(chord: Chord) -> int:
    """The chord's lowest tone in the octave of a bass guitar."""
    return BASS_LOWEST + (chord.bass - BASS_LOWEST) % 12


def approach(pitch: int, target: int, key: Key) -> int:
    """A note of the scale next to the target, on the side from which the line comes."""
    if abs(target - pitch) <= 2:
        return pitch
    direction = 1 if pitch > target else -1
    neighbours = (target + direction, target + 2 * direction)
    return next((near for near in neighbours if near % 12 in key.pitch_classes()), pitch)


def play_melody(bars: Sequence[Bar], strophes: Mapping[str, Strophe]) -> Iterator[tuple[Bar, Note]]:
    """The tune, each note with its bar, which decides who plays it."""
    for bar in bars:
        melody = strophes[bar.section.function].melody
        for written in melody[bar.index_in_section % len(melody)]:
            step = bar.first_step + written.step
            chord = next(timed.chord for timed in bar.chords if step < timed.end_step)
            pitch = fit_to_chord(bar.key.midi(written.degree, MELODY_OCTAVE), chord, bar.key)
            velocity = 0.9 if written.step == 0 else 0.8
            yield bar, Note(step, written.steps, pitch, velocity, bar.intensity)


def fit_to_chord(pitch: int, chord: Chord, key: Key) -> int:
    """Raise or lower a note by a semitone where the chord has an altered tone beside it.

    In minor this sharpens the leading note over the dominant.
    """
    for neighbour in (pitch + 1, pitch - 1):
        altered = neighbour % 12 not in key.pitch_classes()
        if altered and neighbour % 12 in chord.pitch_classes:
            return neighbour
    return pitch


def harmonise(bar: Bar, note: Note) -> Note:
    """A second voice below the tune: the nearest chord tone at least a third away."""
    chord = next(timed.chord for timed in bar.chords if note.start_step < timed.end_step)
    pitch = next(
        pitch
        for pitch in range(note.midi - 3, note.midi - 16, -1)
        if pitch % 12 in chord.pitch_classes
    )
    return Note(note.start_step, note.steps, pitch, 0.6 * note.velocity, note.brightness)
