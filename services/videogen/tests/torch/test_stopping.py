"""A film that is stopped ends at once, leaves nothing, and does not reach into the next one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from studio_filming import Witness, film, needed_pictures, small_size, tiny_request

from soundsight_kit.errors import Cancelled
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.studio import Studio

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

Make = Callable[[str], Path]
MODELS = (
    "wan21",
    "wan22",
    "wan22-5b",
    "wan22-image",
    "wan-vace",
    "ltx",
    "ltx2",
    "cogvideox",
    "cogvideox15",
    "hunyuan15",
    "skyreels2",
)


@pytest.mark.parametrize("phase", ["encode", "denoise", "decode", "write"])
@pytest.mark.parametrize("name", MODELS)
def test_it_stops_in_every_phase(
    name: str, phase: str, studio: Studio, tiny: Make, tmp_path: Path
) -> None:
    """Stopped as a phase begins, a film ends in it: no further phase begins, at most one step is
    made, no file is left."""
    witness = Witness()
    with pytest.raises(Cancelled):
        film(
            studio,
            tiny(name),
            tiny_request(steps=4, size=small_size(name)),
            tmp_path / "clip",
            pictures=needed_pictures(tiny(name), tmp_path),
            witness=witness,
            stopped=lambda: phase in witness.phases,
        )
    assert witness.phases[-1] == phase
    if phase == "denoise":
        assert len(witness.steps) <= 1
    assert list((tmp_path / "clip").iterdir()) == []


@pytest.mark.parametrize("name", MODELS)
def test_it_stops_within_a_step(name: str, studio: Studio, tiny: Make, tmp_path: Path) -> None:
    """Stopped between two steps, no further step is made."""
    witness = Witness()
    with pytest.raises(Cancelled):
        film(
            studio,
            tiny(name),
            tiny_request(steps=6, size=small_size(name)),
            tmp_path / "clip",
            pictures=needed_pictures(tiny(name), tmp_path),
            witness=witness,
            stopped=lambda: len(witness.steps) >= 3,
        )
    assert len(witness.steps) == 3


def test_the_next_film_is_as_if_nothing_had_been(tiny: Make, tmp_path: Path) -> None:
    """After a stop in mid-film, with a cache between steps, the next film has the same bytes as
    one by a fresh studio."""
    settings = StudioSettings(device="cpu", cache="first_block", cache_threshold=1.0)
    request = tiny_request(steps=6)
    fresh = film(Studio(settings), tiny("wan21"), request, tmp_path / "fresh").path.read_bytes()
    used = Studio(settings)
    witness = Witness()
    with pytest.raises(Cancelled):
        film(
            used,
            tiny("wan21"),
            tiny_request(seed=8, steps=6),
            tmp_path / "stopped",
            witness=witness,
            stopped=lambda: len(witness.steps) >= 1,
        )
    assert film(used, tiny("wan21"), request, tmp_path / "next").path.read_bytes() == fresh
