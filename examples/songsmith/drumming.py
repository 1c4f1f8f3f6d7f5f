"""What the drummer plays in each bar, in any metre: groove, fills and crashes."""

from collections.abc import Iterator

from songsmith.form import FULL, GROOVE, HATS_ENTER, KICK_ENTERS, Bar
from songsmith.score import Hit
from songsmith.theory import Metre

# A rise of at least this much is announced by half a bar of snare, a lesser one by a beat of toms.
BIG_RISE = 0.12


def play_drums(bar: Bar, metre: Metre) -> Iterator[Hit]:
    """All strokes of one bar, in no particular order."""
    if bar.final:
        yield Hit(bar.first_step, "kick", 0.7)
        yield Hit(bar.first_step, "crash", 0.35)
        return
    if bar.opens and bar.intensity >= GROOVE:
        yield Hit(bar.first_step, "crash", 0.5 + 0.4 * bar.intensity)
    fill_step = fill_start(bar, metre)
    yield from play_kick(bar, metre)
    yield from (hit for hit in play_snare(bar, metre) if hit.step < fill_step)
    yield from (hit for hit in play_hats(bar, metre) if hit.step < fill_step)
    yield from play_fill(bar, metre, fill_step)


def play_kick(bar: Bar, metre: Metre) -> Iterator[Hit]:
    """Downbeats at first; then every strong beat; in full bars of 4/4, every beat."""
    if bar.intensity < KICK_ENTERS:
        return
    beat = metre.steps_per_beat
    yield Hit(bar.first_step, "kick", 1.0)
    if metre.beats_per_bar == 4:
        yield Hit(bar.first_step + 2 * beat, "kick", 0.9)
        if bar.intensity >= FULL:
            yield Hit(bar.first_step + beat, "kick", 0.85)
            yield Hit(bar.first_step + 3 * beat, "kick", 0.85)
        elif bar.intensity >= GROOVE:
            yield Hit(bar.first_step + 2 * beat + 2, "kick", 0.6)
    elif bar.intensity >= GROOVE:
        yield Hit(bar.first_step + metre.steps_per_bar - 2, "kick", 0.5)


def play_snare(bar: Bar, metre: Metre) -> Iterator[Hit]:
    """The backbeat: two and four, two and three of a waltz, the second beat of 6/8."""
    if bar.intensity < GROOVE:
        return
    backbeats = {4: (1, 3), 3: (1, 2), 2: (1,)}[metre.beats_per_bar]
    for beat in backbeats:
        step = bar.first_step + beat * metre.steps_per_beat
        if bar.intensity >= FULL:
            # In a waltz a full snare on two and three would outweigh the downbeat.
            velocity = 0.95 if metre.beats_per_bar != 3 else 0.6
            yield Hit(step, "snare", velocity)
            yield Hit(step, "clap", 0.8 * velocity)
        else:
            yield Hit(step, "rim", 0.7)


def play_hats(bar: Bar, metre: Metre) -> Iterator[Hit]:
    """Closed hats in eighths; in full bars sixteenths, with the open hat between the beats."""
    if bar.intensity < HATS_ENTER:
        return
    full = bar.intensity >= FULL
    for offset in range(0, metre.steps_per_bar, 1 if full else 2):
        within_beat = offset % metre.steps_per_beat
        step = bar.first_step + offset
        if within_beat == 0:
            yield Hit(step, "hat", 0.75)
        elif full and within_beat == metre.steps_per_beat - 2:
            yield Hit(step, "open_hat", 0.6)
        elif within_beat % 2 == 0:
            yield Hit(step, "hat", 0.5)
        else:
            yield Hit(step, "hat", 0.3)


def fill_start(bar: Bar, metre: Metre) -> int:
    """The step at which the groove gives way to a fill: the end of the bar where there is none."""
    end = bar.first_step + metre.steps_per_bar
    if bar.rise >= BIG_RISE:
        return end - max(metre.steps_per_beat, 8)
    if bar.rise > 0:
        return end - 4
    return end


def play_fill(bar: Bar, metre: Metre, fill_step: int) -> Iterator[Hit]:
    """A roll that grows into the next section, over a swell of noise through the whole bar."""
    end = bar.first_step + metre.steps_per_bar
    toms = ("high_tom", "mid_tom", "low_tom")
    for index, step in enumerate(range(fill_step, end)):
        grown = (step - fill_step + 1) / (end - fill_step)
        on_beat = (step - bar.first_step) % metre.steps_per_beat == 0
        if on_beat or index % 2 == 0 or end - step <= 4:
            drum = toms[min(2, int(3 * grown * 0.99))] if bar.rise < BIG_RISE else "snare"
            yield Hit(step, drum, (0.5 + 0.4 * grown) * (1.1 if on_beat else 0.8))
    if bar.rise > 0:
        yield Hit(bar.first_step, "swell", min(1.0, 0.4 + bar.rise))
