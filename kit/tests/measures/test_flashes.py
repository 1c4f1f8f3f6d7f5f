"""Films that flash as often, as strongly and as widely as is known."""

from __future__ import annotations

import numpy as np
import pytest

from soundsight_kit.measures.flashes import FlashMeter, FlashReport

FPS = 24.0
SIZE = (72, 128)
BLACK, GREY, WHITE = (0, 0, 0), (120, 120, 120), (255, 255, 255)
Colour = tuple[int, int, int]


def picture(colour: Colour, over: Colour = BLACK, share: float = 1.0) -> np.ndarray:
    """A colour over the left part of the picture, another over the rest."""
    frame = np.full((*SIZE, 3), over, dtype=np.uint8)
    frame[:, : round(SIZE[1] * share)] = colour
    return frame


def flashing(
    hz: float,
    *,
    seconds: float = 4.0,
    low: Colour = BLACK,
    high: Colour = WHITE,
    share: float = 1.0,
    fps: float = FPS,
) -> FlashReport:
    """What is found in a film that goes from low to high and back, hz times a second."""
    meter = FlashMeter(fps)
    for frame in range(round(seconds * fps)):
        lit = int(frame * 2 * hz / fps + 1e-9) % 2 == 1
        meter.add(picture(high if lit else low, low, share))
    return meter.report()


@pytest.mark.parametrize("hz", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("fps", [24.0, 30000 / 1001, 60.0])
def test_flashes_are_counted(hz: int, fps: float) -> None:
    """A film that flashes n times a second has n flashes in its worst second."""
    report = flashing(hz, fps=fps)
    assert report.general.most == hz
    assert report.safe == (hz <= 3)
    assert report.red.most == 0


def test_where_it_flashes_is_told() -> None:
    """Five seconds of stillness, two of flashing, five of stillness."""
    meter = FlashMeter(FPS)
    for frame in range(12 * 24):
        lit = 120 <= frame < 168 and (frame // 2) % 2 == 1
        meter.add(picture(WHITE if lit else GREY))
    general = meter.report().general
    assert general.most == 6
    ((start_s, end_s),) = general.too_many
    # The seconds that hold four flashes or more reach beyond the flashing, but not far.
    assert 4.0 < start_s <= 5.0 < general.most_at_s + 1.0
    assert 7.0 <= end_s < 8.0


@pytest.mark.parametrize(
    ("low", "high", "share"),
    [
        (GREY, (137, 137, 137), 1.0),  # relative luminance 0.188 and 0.251: too weak
        ((232, 232, 232), WHITE, 1.0),  # 0.81 and 1.0: both bright
        (BLACK, WHITE, 0.2),  # a fifth of the picture
    ],
    ids=["weak", "bright", "small"],
)
def test_what_is_no_flash(low: Colour, high: Colour, share: float) -> None:
    """Weak, all bright or small changes do not count, however fast they are."""
    assert flashing(6, low=low, high=high, share=share).general.most == 0


@pytest.mark.parametrize(
    ("low", "high", "share"),
    [
        (GREY, (150, 150, 150), 1.0),  # relative luminance 0.188 and 0.305
        ((226, 226, 226), WHITE, 1.0),  # 0.76 and 1.0: the darker is dark enough
        (BLACK, WHITE, 0.28),
    ],
    ids=["strong", "dark", "large"],
)
def test_what_is_a_flash(low: Colour, high: Colour, share: float) -> None:
    """Just beyond each limit it does count."""
    assert flashing(6, low=low, high=high, share=share).general.most == 6


def test_red_flashes_are_counted_apart() -> None:
    """Saturated red against black flashes red, though it changes luminance less than white."""
    report = flashing(4, high=(160, 0, 0))
    assert (report.red.most, report.general.most) == (4, 0)
    assert not report.safe
    assert flashing(4, high=(160, 120, 120)).red.most == 0


def test_cuts_count() -> None:
    """A film that cuts between a dark and a bright shot six times a second flashes three times."""
    random = np.random.default_rng(4)
    dark = random.integers(0, 60, size=(*SIZE, 3), dtype=np.uint8)
    bright = random.integers(150, 255, size=(*SIZE, 3), dtype=np.uint8)
    meter = FlashMeter(FPS)
    for frame in range(96):
        meter.add(bright if (frame // 4) % 2 else dark)
    assert meter.report().general.most == 3


def test_a_soft_pulse_counts_like_a_hard_one() -> None:
    """Light that swells and fades over many frames is followed from turn to turn."""
    meter = FlashMeter(60.0)
    for frame in range(240):
        level = round(128 + 100 * np.sin(2 * np.pi * 4 * frame / 60))
        meter.add(picture((level, level, level)))
    assert meter.report().general.most == 4


def test_fades_and_stillness_are_safe() -> None:
    """A rise to white and back over two seconds is one flash at most."""
    meter = FlashMeter(FPS)
    for frame in range(96):
        level = round(255 * np.sin(np.pi * frame / 96))
        meter.add(picture((level, level, level)))
    assert meter.report().general.most <= 1
    assert FlashMeter(FPS).report().safe


def test_upright_pictures_are_measured_too() -> None:
    """The grid of tiles follows the picture's shape."""
    meter = FlashMeter(FPS)
    for frame in range(48):
        meter.add(np.full((128, 72, 3), 255 * (frame // 3 % 2), dtype=np.uint8))
    assert meter.report().general.most == 4
