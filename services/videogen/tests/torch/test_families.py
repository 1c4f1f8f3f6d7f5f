"""Every family films through its real loader and pipeline, with tiny random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from studio_filming import (
    NIGHT,
    SEA,
    Take,
    colour_picture,
    film,
    needed_pictures,
    small_size,
    tiny_request,
)
from tiny_pipelines import TINY

from soundsight_videogen.backend import Pictures
from soundsight_videogen.diffusion.cards import read_card
from soundsight_videogen.diffusion.families.family import START
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.studio import PHASES, Studio

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

Make = Callable[[str], Path]

MODELS = tuple(TINY)
MAX_PREVIEW_BYTES = 64 << 10


def take_of(
    studio: Studio, tiny: Make, name: str, folder: Path, prompt: str = NIGHT, seed: int = 7
) -> Take:
    """A clip by the model, with the pictures that it cannot do without."""
    request = tiny_request(prompt, size=small_size(name), seed=seed)
    pictures = needed_pictures(tiny(name), folder)
    return film(studio, tiny(name), request, folder, pictures=pictures)


@pytest.mark.parametrize("name", MODELS)
def test_it_films_exact_frames(name: str, studio: Studio, tiny: Make, tmp_path: Path) -> None:
    """A clip has the frames and the size asked for, whatever the model's grid, and what was told
    of it is whole: phases in order, all steps, small previews, the last picture."""
    take = take_of(studio, tiny, name, tmp_path)
    grid = read_card(str(tiny(name)), StudioSettings()).traits.grid
    assert take.frames.shape == (13, 64, 96, 3)
    assert take.footage.rendered_frames % grid.step == grid.offset % grid.step
    assert tuple(take.witness.phases) == PHASES
    assert set(take.footage.timings_s) == set(PHASES)
    assert take.witness.steps == [(1, 2), (2, 2)]
    assert len(take.witness.previews) == 2
    for frame, jpeg in take.witness.previews:
        assert 0 <= frame < 13 and len(jpeg) <= MAX_PREVIEW_BYTES
        assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) is not None
    last = cv2.imread(str(take.path.with_name("last.png")))
    assert last is not None
    # Noise does not survive encoding as it was: the last frame is the one that is nearest.
    grey = cv2.cvtColor(last, cv2.COLOR_BGR2GRAY).astype(int)
    far = [np.abs(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) - grey).mean() for each in take.frames]
    assert int(np.argmin(far)) == 12


@pytest.mark.parametrize("name", MODELS)
def test_seed_and_prompt_decide(name: str, studio: Studio, tiny: Make, tmp_path: Path) -> None:
    """The same request gives the same bytes; another prompt and another seed give other ones."""
    first = take_of(studio, tiny, name, tmp_path / "a").path.read_bytes()
    again = take_of(studio, tiny, name, tmp_path / "b").path.read_bytes()
    prompt = take_of(studio, tiny, name, tmp_path / "c", prompt=SEA).path.read_bytes()
    seed = take_of(studio, tiny, name, tmp_path / "d", seed=8).path.read_bytes()
    assert first == again
    assert prompt != first
    assert seed != first


def test_learned_positions_have_one_size(tiny: Make, studio: Studio, tmp_path: Path) -> None:
    """A model that films in one size declares it, films in it whatever size is asked for, and says
    so in the clip's notes."""
    card = read_card(str(tiny("cogvideox-image")), StudioSettings())
    assert [(size.width, size.height) for size in card.profile.resolutions] == [(64, 64)]
    pictures = Pictures(start=colour_picture(tmp_path / "start.png", (200, 40, 30)))
    request = tiny_request(size=(96, 48))
    take = film(studio, tiny("cogvideox-image"), request, tmp_path / "clip", pictures=pictures)
    assert take.frames.shape == (13, 64, 96, 3)
    assert "made at 64x64 rather than 96x48" in take.footage.notes


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("wan21-ends",)])
def test_takes_can_be_chained(name: str, studio: Studio, tiny: Make, tmp_path: Path) -> None:
    """Where a first picture is declared, the last picture of a take begins the next one, and
    another first picture gives another clip."""
    able = read_card(str(tiny(name)), StudioSettings()).traits.capabilities
    if START not in able:
        pytest.skip("takes no first picture")
    before = take_of(studio, tiny, name, tmp_path / "before")
    other = colour_picture(tmp_path / "other.png", (10, 220, 40))
    request = tiny_request(SEA, size=small_size(name))
    clips = [
        film(studio, tiny(name), request, tmp_path / str(number), pictures=Pictures(start=start))
        for number, start in enumerate((before.path.with_name("last.png"), other))
    ]
    assert clips[0].path.read_bytes() != clips[1].path.read_bytes()
