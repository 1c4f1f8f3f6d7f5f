"""Briefs in files: what is read, what is refused and how that is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundsight.common.v1.common_pb2 import ArtifactRef, Color
from soundsight.render.v1.resources_pb2 import RenderGoal, RenderSpec
from soundsight.scenewriter.v1 import scenewriter_pb2 as pb
from soundsight.scenewriter.v1.storyboard_pb2 import CastMember
from soundsight_cli.briefs import BRIEF_BYTES, BadBrief, read_brief
from soundsight_cli.spec import BadOption, VideoOptions, option_for, render_spec

WHOLE = """
style: hand-painted, melancholic
setting: an abandoned lighthouse
story: |
  Mara tends the light.
  A ship answers.
palette: ["#0a1428", "#C83C1E rust", "f0dcb4"]
cast:
  - id: mara
    name: Mara
    look: grey eyes
    wardrobe: a yellow oilskin
    images: [mara.png]
  - name: Jon
must_have: [a red balloon]
never_show: [text, "no"]
language: en-GB
pace: calm
writer: rules
pipeline: both
seed: 7
sections:
  3: a giant wave
  0: fog
cut_anticipation_frames: 2
"""


def _file(folder: Path, text: str, name: str = "brief.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _spec(options: VideoOptions, **pictures: ArtifactRef) -> RenderSpec:
    sent = {Path(name): ref for name, ref in pictures.items()}
    return render_spec(ArtifactRef(), options, RenderGoal.RENDER_GOAL_STORYBOARD, sent)


def test_every_wish_of_a_file_reaches_the_spec(tmp_path: Path) -> None:
    """All fields of a brief stand in the spec, pictures as they lie in the store."""
    picture = tmp_path / "mara.png"
    picture.write_bytes(b"\x89PNG")
    sent = ArtifactRef(uri="file:///store/1")
    spec = _spec(VideoOptions(brief=_file(tmp_path, WHOLE)), **{str(picture): sent})
    assert spec.seed == 7
    assert spec.brief == pb.Brief(
        style="hand-painted, melancholic",
        setting="an abandoned lighthouse",
        story="Mara tends the light.\nA ship answers.\n",
        palette=[
            Color(red=10, green=20, blue=40),
            Color(red=200, green=60, blue=30, name="rust"),
            Color(red=240, green=220, blue=180),
        ],
        cast=[
            CastMember(
                id="mara", name="Mara", look="grey eyes", wardrobe="a yellow oilskin",
                reference_images=[sent],
            ),
            CastMember(name="Jon"),
        ],
        must_have=["a red balloon"],
        never_show=["text", "no"],
        language="en-GB",
        pace=pb.PACE_CALM,
        writer=pb.WRITER_RULES,
        pipeline=pb.PIPELINE_BOTH,
        section_wishes=[
            pb.SectionWish(section_index=0, text="fog"),
            pb.SectionWish(section_index=3, text="a giant wave"),
        ],
        cut_anticipation_frames=2,
    )  # fmt: skip
    assert {field.name for field, _ in spec.brief.ListFields()} == {
        field.name for field in pb.Brief.DESCRIPTOR.fields
    }


def test_json_says_the_same(tmp_path: Path) -> None:
    """A brief may be JSON, whose names of sections are texts."""
    text = json.dumps({"style": "snow", "sections": {"2": "dawn"}, "palette": ["#010203"]})
    one = read_brief(_file(tmp_path, text, "brief.json"))
    other = read_brief(_file(tmp_path, 'style: snow\nsections: {2: dawn}\npalette: ["#010203"]'))
    assert one == other


def test_what_is_typed_counts_more(tmp_path: Path) -> None:
    """--style and --seed take the place of the file's; seed 0 may be typed too."""
    file = _file(tmp_path, "style: snow\nseed: 7\nsetting: a mill")
    spec = _spec(VideoOptions(brief=file, style="neon", seed=0))
    assert (spec.brief.style, spec.seed, spec.brief.setting) == ("neon", 0, "a mill")
    spec = _spec(VideoOptions(brief=file))
    assert (spec.brief.style, spec.seed) == ("snow", 7)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stile: snow", "stile is not known; did you mean style?"),
        ("xyz: snow", "xyz is not known; known are style, setting"),
        ("cast: [{nam: Mara}]", r"cast\[0\].nam is not known; did you mean name?"),
        ("pace: slow", "pace must be 'calm', 'standard' or 'fast'"),
        ("style: 1984", "style must be text; put it in quotes"),
        ("never_show: [no]", r"never_show\[0\] must be text; put it in quotes"),
        ("palette:\n  - #102030", r"palette\[0\] must be text; put it in quotes"),
        ('palette: ["blue"]', r"palette\[0\] must be a colour such as"),
        ("seed: much", "seed must be a whole number"),
        ("sections: {chorus: snow}", "sections.chorus.* must be a whole number"),
        ("style: [", "line 1: "),
        ("- style", "must hold names with values"),
        ("", "must hold names with values"),
        ("style: !!python/object:os.system x", "line 1: "),
        ("cast: [{name: Mara, images: [gone.png]}]", r"cast\[0\].images: .*gone.png is no file"),
        ("style: \x07", "is no YAML"),
        ("[" * 50_000, "nested too deeply"),
        ("style: " + "x" * BRIEF_BYTES, "larger than 256 kB"),
    ],
)
def test_what_is_no_brief_is_refused(text: str, told: str, tmp_path: Path) -> None:
    """What cannot be meant is refused in one short line that says where it stands."""
    file = _file(tmp_path, text)
    with pytest.raises(BadOption, match=f"^--brief .*brief.yaml: .*{told}") as refused:
        _spec(VideoOptions(brief=file))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """A missing file, another kind of file and another encoding are told of."""
    (tmp_path / "latin.yaml").write_bytes("style: café".encode("latin-1"))
    for name, told in (
        ("gone.yaml", "No such file"),
        ("brief.txt", r"ends in \.yaml, \.yml or \.json"),
        ("latin.yaml", "no text in UTF-8"),
    ):
        with pytest.raises(BadBrief, match=told):
            read_brief(tmp_path / name)


def test_repeated_names_of_yaml_cannot_blow_up(tmp_path: Path) -> None:
    """Lists that name lists that name lists are refused before anything is made of them."""
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(BadBrief, match="a0 is not known"):
        read_brief(_file(tmp_path, "\n".join(rows)))
    nested = "must_have: &a [" + "[" * 40 + "]" * 40 + "]\nnever_show: [*a, *a]"
    with pytest.raises(BadBrief, match="must be text"):
        read_brief(_file(tmp_path, nested))


@given(text=st.text(max_size=200), name=st.sampled_from(["brief.yaml", "brief.json"]))
def test_any_text_is_read_or_refused(
    text: str, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever stands in a file, it is a brief or a BadBrief of one line."""
    file = tmp_path_factory.mktemp("brief") / name
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_brief(file)
    except BadBrief as refused:
        assert str(refused)


def test_the_gateways_fields_name_their_place_in_the_brief() -> None:
    """What gateway and writer refuse of a brief is told with its place in the file."""
    assert option_for("render.spec.brief.style") == "--style"
    assert option_for("render.spec.brief.cast[2].look") == "--brief, cast[2].look"
    assert option_for("brief.section_wishes[0].text") == "--brief, section_wishes[0].text"
    assert option_for("spec.brief") == "--brief"
