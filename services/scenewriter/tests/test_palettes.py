"""Colours: exact conversion, harmonious palettes for every mood, callers' colours untouched."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.writing.colour import (
    Lch,
    Rgb,
    difference,
    from_hex,
    is_muddy,
    to_lch,
    to_rgb,
)
from soundsight_scenewriter.writing.palette import choose_palette, given_palette, grade
from soundsight_scenewriter.writing.vocabulary import vocabulary
from soundsight_scenewriter.writing.wishes import Understood, understand

FAMILIES = sorted(vocabulary().families)


def test_conversion_agrees_with_the_reference() -> None:
    """White, red and blue have the OKLCH values of Ottosson's article and of CSS Color 4."""
    white = to_lch(Rgb(255, 255, 255))
    assert white.lightness == pytest.approx(1.0, abs=1e-3)
    assert white.chroma == pytest.approx(0.0, abs=1e-3)
    red, blue = to_lch(Rgb(255, 0, 0)), to_lch(Rgb(0, 0, 255))
    # oklch(62.8% 0.2577 29.23) and oklch(45.2% 0.3132 264.05), CSS Color Module Level 4.
    assert (red.lightness, red.chroma, red.hue) == pytest.approx((0.628, 0.2577, 29.23), abs=2e-2)
    assert (blue.lightness, blue.chroma, blue.hue) == pytest.approx(
        (0.452, 0.3132, 264.05), abs=2e-2
    )


@given(red=st.integers(0, 255), green=st.integers(0, 255), blue=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_conversion_goes_both_ways(red: int, green: int, blue: int) -> None:
    """sRGB to OKLCH and back changes no channel by more than one step."""
    back = to_rgb(to_lch(Rgb(red, green, blue)))
    assert max(abs(back.red - red), abs(back.green - green), abs(back.blue - blue)) <= 1


@given(lightness=st.floats(0.1, 1), chroma=st.floats(0, 0.4), hue=st.floats(0, 360))
@settings(max_examples=200, deadline=None)
def test_impossible_colours_lose_chroma_alone(lightness: float, chroma: float, hue: float) -> None:
    """A colour outside sRGB keeps its lightness; near black eight bits are too few to tell."""
    made = to_lch(to_rgb(Lch(lightness, chroma, hue)))
    assert made.lightness == pytest.approx(lightness, abs=0.02)
    assert made.chroma <= chroma + 0.02


@given(
    valence=st.floats(-1, 1),
    arousal=st.floats(-1, 1),
    mode=st.sampled_from([-1, 0, 1]),
    family=st.sampled_from(FAMILIES),
    style=st.sampled_from(["", "pastel", "vivid, darker", "warm", "icy, teal and red", "bright"]),
    seed=st.integers(0, 2**63 - 1),
)
@settings(max_examples=300, deadline=None)
def test_palettes_are_harmonious(
    valence: float, arousal: float, mode: int, family: str, style: str, seed: int
) -> None:
    """Four or five colours in steps from dark to light, none muddy, all names different."""
    wish = understand(style)
    palette = choose_palette(
        vocabulary(), valence=valence, arousal=arousal, mode=mode, families={family: 1.0},
        wish=wish, dice=Dice(seed),
    )  # fmt: skip
    shades = [to_lch(colour) for colour in palette]
    assert 4 <= len(palette) <= 5
    assert all(b.lightness - a.lightness > 0.02 for a, b in itertools.pairwise(shades))
    assert shades[0].lightness < 0.4
    assert shades[-1].lightness > 0.8
    wished = {colour.name for colour in wish.colours}
    assert not any(
        is_muddy(shade)
        for shade, colour in zip(shades, palette, strict=True)
        if colour.name not in wished
    )
    assert len({colour.name for colour in palette}) == len(palette)


def test_muted_styles_do_not_turn_to_mud() -> None:
    """Taking strength out of golds and rusts leaves colours, not browns."""
    for seed in range(40):
        palette = choose_palette(
            vocabulary(), valence=0.5, arousal=0.0, mode=1, families={"folk": 1.0},
            wish=understand("pastel, melancholic"), dice=Dice(seed),
        )  # fmt: skip
        assert not any(is_muddy(to_lch(colour)) for colour in palette)


def test_the_seed_varies_the_palette() -> None:
    """Twenty seeds give at least ten clearly different palettes for one mood."""
    made = [
        choose_palette(
            vocabulary(), valence=0.5, arousal=0.5, mode=1, families={"pop": 1.0},
            wish=Understood(), dice=Dice(seed),
        )
        for seed in range(20)
    ]  # fmt: skip
    middles = [to_lch(palette[len(palette) // 2]) for palette in made]
    apart: list[Lch] = []
    for shade in middles:
        if all(difference(shade, other) > 0.02 for other in apart):
            apart.append(shade)
    assert len(apart) >= 10


def test_wished_colours_are_there() -> None:
    """Teal and red of the style are colours of the palette, to the digit."""
    wish = understand("teal and red")
    palette = choose_palette(
        vocabulary(), valence=-0.5, arousal=0.8, mode=-1, families={"metal": 1.0}, wish=wish,
        dice=Dice(5),
    )  # fmt: skip
    assert {"teal", "scarlet"} <= {colour.name for colour in palette}


@given(
    colours=st.lists(
        st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=100, deadline=None)
def test_a_callers_colours_stay_exact(colours: list[tuple[int, int, int]]) -> None:
    """All given colours are in the palette unchanged; it has three to five, darkest first."""
    given_colours = [Rgb(*channels) for channels in colours]
    palette = given_palette(given_colours, vocabulary())
    made = [(colour.red, colour.green, colour.blue) for colour in palette]
    assert all(channels in made for channels in colours)
    assert max(3, len(colours)) == len(palette)
    lightness = [to_lch(colour).lightness for colour in palette]
    assert lightness == sorted(lightness)
    assert all(colour.name for colour in palette)


def test_grades_keep_order_and_names() -> None:
    """A graded palette is warmer or lighter, never reordered, and called by the same names."""
    base = tuple(
        Rgb(c.red, c.green, c.blue, name)
        for name, c in (
            ("a", from_hex("#10182c")),
            ("b", from_hex("#3f5d81")),
            ("c", from_hex("#77a1c3")),
            ("d", from_hex("#f0fbff")),
        )
    )
    graded = grade(base, lightness=1.0, chroma=1.0, warmth=0.0)
    assert [colour.name for colour in graded] == ["a", "b", "c", "d"]
    before, after = to_lch(base[1]), to_lch(graded[1])
    assert after.lightness > before.lightness
    assert after.chroma > before.chroma
    assert grade(base, lightness=0.0, chroma=0.0, warmth=0.0) == base
    warm, cold = (grade(base, lightness=0.0, chroma=0.0, warmth=way) for way in (1.0, -1.0))
    for cool_one, plain, warm_one in list(zip(cold, base, warm, strict=True))[:3]:
        assert cool_one.red - cool_one.blue < plain.red - plain.blue < warm_one.red - warm_one.blue
