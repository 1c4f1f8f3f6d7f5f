"""From requests to takes: frames, sizes, steps. Pure, without PyTorch."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundsight_kit.errors import FailedPrecondition
from soundsight_videogen.devices import worker_devices
from soundsight_videogen.diffusion.families import families
from soundsight_videogen.diffusion.features.choosing import speed_features
from soundsight_videogen.diffusion.grid import FrameGrid, plan_timing
from soundsight_videogen.diffusion.plans import MemoryPlan
from soundsight_videogen.diffusion.previewing import LatentColours, preview_jpeg
from soundsight_videogen.diffusion.retiming import retime
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.sizes import cover_crop, fit_size, nearest_size
from soundsight_videogen.settings import VideoGenSettings

RATES = st.sampled_from([Fraction(12), Fraction(24), Fraction(25), Fraction(30000, 1001)])
GRIDS = st.sampled_from([FrameGrid(4, 1, 5, 81), FrameGrid(8, 1, 9, 49), FrameGrid(1, 0, 1, 240)])


@given(
    frames=st.integers(1, 300), rate=RATES, grid=GRIDS, native=st.sampled_from([None, 8, 16, 24])
)
def test_enough_frames_are_filmed_on_the_grid(
    frames: int, rate: Fraction, grid: FrameGrid, native: int | None
) -> None:
    """Every clip has its frames, each from filmed ones and in order; too long ones are refused."""
    own = Fraction(native) if native else None
    if frames > grid.largest:
        with pytest.raises(FailedPrecondition):
            plan_timing(frames, rate, grid, own)
        return
    timing = plan_timing(frames, rate, grid, own)
    positions = list(timing.positions())
    assert (timing.native_frames - grid.offset) % grid.step == 0
    assert grid.smallest <= timing.native_frames <= grid.largest
    assert len(positions) == frames
    assert positions == sorted(positions) and positions[0] == 0
    assert positions[-1] == (frames - 1) * timing.pace <= timing.native_frames - 1
    if native is None or rate == native:
        assert not timing.retimed


@given(
    wanted=st.tuples(st.integers(16, 4000), st.integers(16, 4000)),
    multiple=st.sampled_from([8, 16, 32]),
    most=st.sampled_from([0, 832 * 480, 1280 * 720]),
    parts=st.sampled_from([1, 2, 3, 4]),
)
def test_sizes_fit_the_model(wanted: tuple[int, int], multiple: int, most: int, parts: int) -> None:
    """A fitted size is whole multiples, as many of them across as can be shared out equally, and
    within the bound."""
    width, height = fit_size(wanted, multiple=multiple, most_pixels=most, parts=parts)
    assert width % (multiple * parts) == height % multiple == 0
    assert min(width, height) >= multiple
    assert not most or width * height <= most


def test_the_nearest_size_is_the_nearest_shape() -> None:
    """Of some sizes the one of the nearest shape is taken, however large, and the first of two."""
    sizes = [(832, 480), (480, 832), (1664, 960)]
    assert nearest_size((1920, 1080), sizes) == (832, 480)
    assert nearest_size((90, 160), sizes) == (480, 832)


def test_a_group_takes_no_cache_that_each_decides_by_itself() -> None:
    """What one process would skip and another not is refused before anything is loaded."""
    (wan,) = [family for family in families() if family.name == "wan"]
    settings = StudioSettings(cache="first_block")
    assert speed_features(settings, wan, 6)
    with pytest.raises(FailedPrecondition) as caught:
        speed_features(settings, wan, 6, ranks=2)
    assert caught.value.reason == "CACHE_NOT_SUPPORTED"
    assert speed_features(StudioSettings(cache="taylorseer"), wan, 6, ranks=2)


@pytest.mark.parametrize(
    ("named", "workers"),
    [
        ("cpu", ["cpu"]),
        ("cpu+cpu", ["cpu,cpu"]),
        ("0,1", ["0", "1"]),
        ("0+1,2+3", ["0,1", "2,3"]),
    ],
)
def test_devices_are_named(named: str, workers: list[str]) -> None:
    """Commas part workers, and a plus joins the devices of one."""
    assert VideoGenSettings(devices=named).devices == named
    assert list(worker_devices(named)) == workers


@pytest.mark.parametrize("named", ["", "gpu", "0+", "0,1+2", "cpu+0", "cpu,0"])
def test_devices_that_cannot_be_are_refused(named: str) -> None:
    """Neither are other words, nor groups of several sizes."""
    with pytest.raises(ValueError, match="takes"):
        VideoGenSettings(devices=named)


@given(
    picture=st.tuples(st.integers(16, 2000), st.integers(16, 2000)),
    target=st.tuples(st.integers(16, 2000), st.integers(16, 2000)),
)
def test_crops_lie_inside(picture: tuple[int, int], target: tuple[int, int]) -> None:
    """What is cut out of a picture lies in it and reaches two opposite edges."""
    left, top, width, height = cover_crop(picture, target)
    assert left >= 0 and top >= 0 and width >= 1 and height >= 1
    assert left + width <= picture[0] and top + height <= picture[1]
    assert width == picture[0] or height == picture[1]


def moving_square(frames: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A bright square that moves four pixels a frame to the right over a textured ground."""
    ground = np.random.default_rng(3).random((64, 96, 3)).astype(np.float32) * 0.2
    film = np.stack([ground] * frames)
    for index in range(frames):
        film[index, 20:44, 10 + 4 * index : 34 + 4 * index] = 0.9
    return film


def test_flow_puts_things_between() -> None:
    """Half-way between two frames, optical flow is nearer to the truth than mixing them is."""
    film = moving_square(9)
    kept, truth = film[::2], film[1::2]
    halves = [Fraction(2 * index + 1, 2) for index in range(len(truth))]
    errors = {}
    for method in ("flow", "blend"):
        made = np.stack(list(retime(kept, halves, method)))
        errors[method] = float(np.abs(made - truth).mean())
    assert errors["flow"] < 0.7 * errors["blend"]


@pytest.mark.parametrize("method", ["flow", "blend", "nearest"])
def test_frames_that_are_there_stay(method: str) -> None:
    """At whole positions every method gives the very frames that were filmed."""
    film = moving_square(4)
    made = np.stack(list(retime(film, map(Fraction, range(4)), method)))  # type: ignore[arg-type]
    assert np.array_equal(made, film)


def test_colours_are_learned_by_least_squares() -> None:
    """When latents are a linear function of colours, what was learned gives the colours back."""
    random = np.random.default_rng(0)
    frames = random.random((3, 8, 8, 3)).astype(np.float32)
    mix = random.normal(size=(4, 3)).astype(np.float32)
    latents = np.einsum("cr,nhwr->cnhw", mix, frames).astype(np.float32)
    colours = LatentColours()
    assert not colours.learned
    colours.learn(latents, frames)
    off = colours.rgb(latents[:, 1]).astype(float) - 255 * frames[1]
    assert np.abs(off).mean() < 6


@settings(deadline=None)
@given(channels=st.sampled_from([1, 4, 16]), height=st.integers(2, 90), width=st.integers(2, 90))
def test_previews_are_small(channels: int, height: int, width: int) -> None:
    """Whatever the latents, a preview is at most 64 KiB."""
    latents = np.random.default_rng(1).normal(size=(channels, height, width)).astype(np.float32)
    jpeg = preview_jpeg(LatentColours().rgb(latents), (width, height))
    assert 0 < len(jpeg) <= 64 << 10


def test_plans_get_cheaper_to_the_end() -> None:
    """From the fastest plan on, each has a cheaper one, down to the last."""
    plan: MemoryPlan | None = MemoryPlan.FASTEST
    seen = []
    while plan is not None:
        seen.append(plan)
        plan = plan.cheaper()
    assert seen == list(MemoryPlan)
