"""Label files: a user can write them, and mistakes are told by file and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from soundsight_analyzer.frames import Request
from soundsight_analyzer.listening import Options
from soundsight_analyzer.meaning.clap import ClapModel, ClapWindows, certainty
from soundsight_analyzer.meaning.labelsets import (
    GROUPS,
    LabelSet,
    load_label_sets,
    parse_label_set,
)
from soundsight_analyzer.song import SongFile
from soundsight_kit.errors import InvalidArgument


def test_the_package_has_labels_for_each_group() -> None:
    """Style, content and emotion are there, each with many labels and a sentence for each."""
    sets = load_label_sets()
    assert tuple(each.group for each in sets) == GROUPS
    for each in sets:
        assert len(each.labels) >= 20
        assert all(prompt != label for prompt, label in zip(each.prompts, each.labels, strict=True))
        assert all(label == label.lower() for label in each.labels)


def test_prompts_are_those_that_are_written() -> None:
    """A label's own prompt goes before the line's above it, which goes before the bare label."""
    text = "Plain\n# a remark\n\nprompt: it is {}\nWarm\ncold | an icy wind\n"
    found = parse_label_set("style", text, "style.txt")
    assert found.labels == ("plain", "warm", "cold")
    assert found.prompts == ("plain", "it is warm", "an icy wind")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("one\ntwo\nONE\n", "line 3: 'one' is there twice"),
        ("one\n", "1 labels"),
        ("", "0 labels"),
        ("prompt: no braces\na\nb\n", "line 1: a prompt needs one {}"),
        ("a\n| a prompt without a label\n", "line 2: a label has 1 to"),
        ("a\n" + "b" * 100, "line 2: a label has 1 to"),
        ("\n".join(f"label {n}" for n in range(1001)), "1001 labels"),
    ],
)
def test_mistakes_are_told_by_line(text: str, told: str) -> None:
    """What is wrong is said with the file's name and the line."""
    with pytest.raises(InvalidArgument) as caught:
        parse_label_set("style", text, "my.txt")
    assert caught.value.message.startswith("my.txt")
    assert told in caught.value.message


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    """An empty folder is a mistake, and a picture is no text."""
    with pytest.raises(InvalidArgument, match="holds none of"):
        load_label_sets(tmp_path)
    (tmp_path / "style.txt").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InvalidArgument, match="cannot be read as text"):
        load_label_sets(tmp_path)


def test_shares_follow_the_stretch() -> None:
    """A stretch is named by the windows whose middles lie in it, or by the nearest."""
    group = LabelSet("style", ("left", "right"), ("left", "right"))
    windows = ClapWindows(
        source="model@1",
        hop_s=10.0,
        sounds=np.asarray([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),
        label_sets=(group,),
        words={"style": np.eye(2)},
        scale=10.0,
    )
    assert windows.shares(group, 0.0, 20.0).argmax() == 0
    assert windows.shares(group, 20.0, 30.0).argmax() == 1
    assert windows.shares(group, 24.0, 24.5).argmax() == 1
    whole = windows.shares(group, 0.0, 30.0)
    assert whole.sum() == pytest.approx(1.0)
    assert certainty(whole) < certainty(windows.shares(group, 0.0, 20.0)) <= 1.0
    assert certainty(np.asarray([0.5, 0.5])) == pytest.approx(0.0)


def test_the_model_reaches_the_listening_process() -> None:
    """A request carries the model there and back, and none where none is configured."""
    song = SongFile(Path("/song.flac"), 44_100, 44_100, 2)
    model = ClapModel("tiny", "/models/tiny", "sha256:1", "cpu", "/labels")
    for clap in (model, None):
        request = Request(song, Options(clap=clap))
        assert Request.from_json(request.to_json()) == request
