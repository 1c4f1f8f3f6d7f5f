"""Pictures that a clip begins with, ends with, refers to, or keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from studio_filming import colour_picture, film, small_size, tiny_request
from tiny_pipelines import TINY

from soundsight.videogen.v1 import videogen_pb2
from soundsight_kit.errors import FailedPrecondition, InvalidArgument, SoundsightError
from soundsight_videogen.backend import Pictures
from soundsight_videogen.diffusion.cards import read_card
from soundsight_videogen.diffusion.families.family import DRAFT, END, REFERENCES, Capability
from soundsight_videogen.diffusion.settings import StudioSettings
from soundsight_videogen.diffusion.studio import Studio

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

Make = Callable[[str], Path]


LAST = ("wan21-ends", "wan22-image", "wan-vace", "ltx", "ltx2", "skyreels2")
REFERRING = ("wan-vace",)
KEEPING = ("wan21", "ltx", "cogvideox")


@pytest.mark.parametrize(
    ("able", "tested"), [(END, LAST), (REFERENCES, REFERRING), (DRAFT, KEEPING)]
)
def test_what_is_declared_is_tested(able: Capability, tested: Sequence[str], tiny: Make) -> None:
    """No model declares a picture that the tests below do not give it."""
    declaring = {
        name
        for name in TINY
        if able in read_card(str(tiny(name)), StudioSettings()).traits.capabilities
    }
    assert declaring == set(tested)


@pytest.mark.parametrize("name", LAST)
def test_the_last_picture_decides(name: str, studio: Studio, tiny: Make, tmp_path: Path) -> None:
    """Where a last picture is declared, another one gives another clip."""
    start = colour_picture(tmp_path / "start.png", (200, 40, 30))
    clips = []
    for number, colour in enumerate([(0, 0, 255), (0, 255, 0)]):
        end = colour_picture(tmp_path / f"end{number}.png", colour)
        pictures = Pictures(start=start, end=end)
        request = tiny_request(size=small_size(name))
        clips.append(film(studio, tiny(name), request, tmp_path / str(number), pictures=pictures))
    assert clips[0].path.read_bytes() != clips[1].path.read_bytes()


def test_references_decide(studio: Studio, tiny: Make, tmp_path: Path) -> None:
    """VACE films with reference pictures, and others give another clip of the same length."""
    clips = []
    for number, colour in enumerate([(250, 250, 0), (0, 40, 90)]):
        cast = colour_picture(tmp_path / f"cast{number}.png", colour)
        pictures = Pictures(references=(cast, cast))
        clips.append(
            film(
                studio, tiny("wan-vace"), tiny_request(), tmp_path / str(number), pictures=pictures
            )
        )
    assert len(clips[0].frames) == len(clips[1].frames) == 13
    assert clips[0].path.read_bytes() != clips[1].path.read_bytes()


@pytest.mark.parametrize("name", KEEPING)
def test_a_final_begins_with_its_draft(
    name: str, studio: Studio, tiny: Make, tmp_path: Path
) -> None:
    """Where drafts are kept, the final has the frames asked for, takes fewer steps than a clip
    from nothing, and another draft gives another final."""
    finals = []
    for number in range(2):
        draft = film(studio, tiny(name), tiny_request(seed=number), tmp_path / f"draft{number}")
        pictures = Pictures(draft=draft.path)
        request = tiny_request(steps=5)
        request.quality = videogen_pb2.QUALITY_HIGH
        finals.append(
            film(studio, tiny(name), request, tmp_path / f"final{number}", pictures=pictures)
        )
    assert len(finals[0].frames) == 13
    assert finals[0].witness.steps[-1] == (3, 3)
    assert not np.array_equal(finals[0].frames, finals[1].frames)


def test_a_final_says_that_it_differs(studio: Studio, tiny: Make, tmp_path: Path) -> None:
    """A model that cannot keep a draft says so in the clip's notes."""
    request = tiny_request()
    request.quality = videogen_pb2.QUALITY_HIGH
    notes = film(studio, tiny("wan22"), request, tmp_path).footage.notes
    assert any("differs from its draft" in note for note in notes)


def test_pictures_that_lack_or_cannot_be_used(studio: Studio, tiny: Make, tmp_path: Path) -> None:
    """Each wrong picture is refused before any work, with the field or the next step."""
    start = colour_picture(tmp_path / "start.png", (1, 2, 3))
    broken = tmp_path / "broken.png"
    broken.write_bytes(start.read_bytes()[:60])

    def refused(name: str, pictures: Pictures) -> SoundsightError:
        with pytest.raises((InvalidArgument, FailedPrecondition)) as caught:
            film(studio, tiny(name), tiny_request(), tmp_path / name, pictures=pictures)
        assert list((tmp_path / name).iterdir()) == []
        return caught.value

    assert refused("wan22-image", Pictures()).reason == "START_IMAGE_NEEDED"
    assert refused("wan21-ends", Pictures(start=start)).reason == "END_IMAGE_NEEDED"
    assert refused("wan21", Pictures(start=start)).field_violations[0][0] == "start_image"
    assert refused("ltx", Pictures(references=(start,))).field_violations[0][0] == (
        "reference_images"
    )
    assert refused("ltx", Pictures(start=broken)).field_violations[0][0] == "start_image"
    assert refused("ltx", Pictures(draft=broken)).field_violations[0][0] == "draft"
