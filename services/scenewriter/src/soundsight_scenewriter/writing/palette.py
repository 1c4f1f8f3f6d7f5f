"""The film's colours: a scheme for its mood, varied by the seed, graded from section to section."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.writing.colour import Lch, Rgb, difference, is_muddy, to_lch, to_rgb
from soundsight_scenewriter.writing.vocabulary import NamedColour, Scheme, Vocabulary
from soundsight_scenewriter.writing.wishes import Understood

FEWEST_COLOURS = 3
MOST_COLOURS = 5
_HUE_TURN = 14.0
_WARM_HUE, _COLD_HUE = 55.0, 250.0
# A grade moves colours by at most this much, or the film falls apart.
GRADE_LIGHTNESS = 0.05
GRADE_CHROMA = 0.22
_GRADE_HUE = 9.0
# What a grade does to white: as far towards a candle's light, or away from it, in OKLab.
_GRADE_TEMPERATURE = 0.06
_GENRE_GAIN = 1.6


def named(colours: Sequence[Lch], tables: Vocabulary) -> tuple[Rgb, ...]:
    """The colours in sRGB, each with the nearest name that no other one of them has."""
    taken: set[str] = set()
    made = []
    for lch in colours:
        rgb = to_rgb(lch)
        exact = to_lch(rgb)
        free = [colour for colour in tables.colours if colour.name not in taken]
        nearest = min(free, key=lambda colour: difference(colour.lch, exact))
        taken.add(nearest.name)
        made.append(replace(rgb, name=nearest.name))
    return tuple(made)


def _scheme(
    tables: Vocabulary, valence: float, arousal: float, families: Mapping[str, float], dice: Dice
) -> Scheme:
    weights = []
    for scheme in tables.schemes:
        distance = ((valence - scheme.valence) / 0.45) ** 2 + (
            (arousal - scheme.arousal) / 0.4
        ) ** 2
        genre = max((families.get(name, 0.0) for name in scheme.genres), default=0.0)
        weights.append((math.exp(-distance / 2.0) + 0.02) * (1.0 + _GENRE_GAIN * genre))
    return dice.weighted(tables.schemes, [weight**3 for weight in weights])


def _unmuddied(lch: Lch) -> Lch:
    """A colour that variation has pushed into brown gets its strength back.

    Dark ones for which the screen has no such strength become greys instead.
    """
    if not is_muddy(to_lch(to_rgb(lch))):
        return lch
    strong = replace(lch, chroma=0.1)
    return replace(lch, chroma=0.012) if is_muddy(to_lch(to_rgb(strong))) else strong


def choose_palette(
    tables: Vocabulary,
    *,
    valence: float,
    arousal: float,
    mode: int,
    families: Mapping[str, float],
    wish: Understood,
    dice: Dice,
) -> tuple[Rgb, ...]:
    """Four or five colours, darkest first, for a mood; colours that were wished for are among them.

    `mode` is 1 for major and -1 for minor: minor songs are a little darker and cooler.
    """
    scheme = _scheme(tables, valence + 0.1 * mode, arousal, families, dice)
    turn = dice.between(-_HUE_TURN, _HUE_TURN)
    strength = dice.between(0.9, 1.12) * max(0.0, 1.0 + wish.chroma)
    shades = [
        replace(
            shade.turned(turn + dice.between(-3.0, 3.0)),
            chroma=shade.chroma * strength,
            lightness=shade.lightness + 0.012 * mode + 0.6 * wish.lightness,
        )
        for shade in scheme.shades
    ]
    if dice.unit() < 0.3:
        # Four colours: of the inner ones, one of the two whose hues are most alike goes.
        del shades[min(range(1, len(shades) - 1), key=lambda at: _nearest_hue(shades, at))]
    _put_wished(shades, wish.colours[:MOST_COLOURS])
    shades = [_toward_temperature(shade, 12.0 * wish.warmth) for shade in shades]
    shades = _apart(sorted(shades, key=lambda shade: shade.lightness))
    if wish.chroma > -0.9:
        shades = [_unmuddied(shade) for shade in shades]
    return named(shades, tables)


def _nearest_hue(shades: Sequence[Lch], at: int) -> float:
    """How many degrees lie between a colour's hue and the nearest of the other inner ones."""
    others = (shade for index, shade in enumerate(shades[1:-1], 1) if index != at)
    return min(abs((shades[at].hue - other.hue + 180.0) % 360.0 - 180.0) for other in others)


def _put_wished(shades: list[Lch], wished: Sequence[NamedColour]) -> None:
    """Puts each wished colour in the place of the one nearest in lightness that is still free.

    The darkest and the lightest colour stay as long as there are others.
    """
    free = [*range(1, len(shades) - 1), 0, len(shades) - 1]
    for colour in wished[: len(shades)]:
        inner = [at for at in free if 0 < at < len(shades) - 1] or free
        nearest = min(inner, key=lambda at: abs(shades[at].lightness - colour.lch.lightness))
        shades[nearest] = colour.lch
        free.remove(nearest)


def _apart(shades: Sequence[Lch]) -> list[Lch]:
    """Pushes colours of equal lightness apart, so that the palette reads as steps."""
    spaced = list(shades)
    for index in range(1, len(spaced)):
        least = spaced[index - 1].lightness + 0.06
        if spaced[index].lightness < least:
            spaced[index] = replace(spaced[index], lightness=min(0.985, least))
    return spaced


def given_palette(colours: Sequence[Rgb], tables: Vocabulary) -> tuple[Rgb, ...]:
    """A caller's colours, darkest first, untouched; one or two are extended to three.

    What is added is a dark and a light tone of the caller's own hue.
    """
    shades = sorted(colours, key=lambda colour: to_lch(colour).lightness)
    base = to_lch(shades[0])
    extra = []
    if len(shades) < FEWEST_COLOURS:
        extra.append(Lch(max(0.08, base.lightness * 0.4), base.chroma * 0.6, base.hue))
    if len(shades) < FEWEST_COLOURS - 1:
        extra.append(Lch(0.93, min(0.05, base.chroma), base.hue))
    names = named([*(to_lch(shade) for shade in shades), *extra], tables)
    complete = [
        replace(colour, name=colour.name or name.name)
        for colour, name in zip(shades, names, strict=False)
    ]
    complete += names[len(shades) :]
    return tuple(sorted(complete, key=lambda colour: to_lch(colour).lightness))


def _toward_temperature(shade: Lch, degrees: float) -> Lch:
    """Turns a hue towards warm (degrees above 0) or cold, the shorter way, never past it."""
    target = _WARM_HUE if degrees >= 0.0 else _COLD_HUE
    way = (target - shade.hue + 180.0) % 360.0 - 180.0
    turn = math.copysign(min(abs(way), abs(degrees)), way)
    return shade.turned(turn)


def grade(
    palette: Sequence[Rgb], *, lightness: float, chroma: float, warmth: float
) -> tuple[Rgb, ...]:
    """The palette as it looks in one section; names stay. Arguments are in units of a grade.

    Only the colours between the darkest and the lightest get lighter or darker, so that contrast
    and order remain. Warmth turns hues and, like a filter before the lens, tints what is light.
    """
    graded = []
    for index, colour in enumerate(palette):
        shade = to_lch(colour)
        inner = 0 < index < len(palette) - 1
        turned = _toward_temperature(shade, _GRADE_HUE * warmth)
        moved = replace(
            turned.tinted(_WARM_HUE, _GRADE_TEMPERATURE * warmth * shade.lightness),
            lightness=shade.lightness + (GRADE_LIGHTNESS * lightness if inner else 0.0),
        )
        moved = replace(moved, chroma=moved.chroma * max(0.0, 1.0 + GRADE_CHROMA * chroma))
        if not is_muddy(shade):
            moved = _unmuddied(moved)
        graded.append(replace(to_rgb(moved), name=colour.name))
    order = [to_lch(colour).lightness for colour in graded]
    return tuple(graded) if order == sorted(order) else tuple(palette)
