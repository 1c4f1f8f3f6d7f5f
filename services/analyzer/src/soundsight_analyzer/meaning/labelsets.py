"""The labels that CLAP chooses from: text files, which a user can replace with others.

Three groups, as in "From Sound to Sight: Towards AI-authored Music Videos" (arXiv 2509.00029):
style, content and emotion. A file holds one label a line; what follows a bar is the prompt for that
label. A line `prompt: ... {} ...` sets the prompt of the labels below it that bring none, and lines
that begin with # are for people.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from soundsight_kit.errors import InvalidArgument

GROUPS = ("style", "content", "emotion")
MOST_LABELS = 1000
_LONGEST = 80
_PROMPT = "prompt:"


@dataclass(frozen=True)
class LabelSet:
    """A group's labels, in lower case, and what the model is asked about each."""

    group: str
    labels: tuple[str, ...]
    prompts: tuple[str, ...]


def load_label_sets(folder: Path | None = None) -> tuple[LabelSet, ...]:
    """The sets in ``folder``, one for each file named after a group, or those of the package.

    Raises:
        InvalidArgument: when a file cannot be used; the message names it and its line.
    """
    if folder is None:
        own = files("soundsight_analyzer") / "meaning" / "label_sets"
        return tuple(
            parse_label_set(group, (own / f"{group}.txt").read_text("utf-8"), f"{group}.txt")
            for group in GROUPS
        )
    found = [group for group in GROUPS if (folder / f"{group}.txt").is_file()]
    if not found:
        names = ", ".join(f"{group}.txt" for group in GROUPS)
        raise InvalidArgument(f"the label folder {folder} holds none of {names}")
    return tuple(_read(group, folder / f"{group}.txt") for group in found)


def parse_label_set(group: str, text: str, name: str) -> LabelSet:
    """The set in the text of a file.

    Raises:
        InvalidArgument: for two equal labels, fewer than two labels, a label without words or a
            prompt without braces; the message begins with ``name``.
    """
    labels: dict[str, str] = {}
    prompt = "{}"
    for number, line in _lines(text):
        where = f"{name}, line {number}"
        if line.lower().startswith(_PROMPT):
            prompt = line[len(_PROMPT) :].strip()
            if prompt.count("{}") != 1:
                raise InvalidArgument(f"{where}: a prompt needs one {{}} for the label")
            continue
        label, _, own_prompt = (part.strip() for part in line.partition("|"))
        label = label.lower()
        if not label or len(label) > _LONGEST:
            raise InvalidArgument(f"{where}: a label has 1 to {_LONGEST} characters")
        if label in labels:
            raise InvalidArgument(f"{where}: {label!r} is there twice")
        labels[label] = own_prompt or prompt.replace("{}", label)
    if not 2 <= len(labels) <= MOST_LABELS:
        raise InvalidArgument(f"{name}: {len(labels)} labels, but 2 to {MOST_LABELS} are needed")
    return LabelSet(group, tuple(labels), tuple(labels.values()))


def _read(group: str, path: Path) -> LabelSet:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{path} cannot be read as text: {error}") from None
    return parse_label_set(group, text, str(path))


def _lines(text: str) -> Iterable[tuple[int, str]]:
    """Numbered lines that say something."""
    for number, line in enumerate(text.splitlines(), start=1):
        if (stripped := line.strip()) and not stripped.startswith("#"):
            yield number, stripped
