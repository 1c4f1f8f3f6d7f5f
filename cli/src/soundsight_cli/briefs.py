"""A brief in a file of its own: YAML or JSON, checked for its form, as the contract's Brief.

What the fields may hold (lengths, counts, contradictions) is the gateway's and the writer's to say;
here a file is read, and a name or a kind that cannot be meant is told with the place where it
stands.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from soundsight.common.v1.common_pb2 import ArtifactRef, Color
from soundsight.scenewriter.v1 import scenewriter_pb2 as pb

BRIEF_BYTES = 256 << 10
"""Of the largest brief that is read; all that one may hold fits twice."""

ENDINGS = (".yaml", ".yml", ".json")

Pictures = Mapping[Path, ArtifactRef]
"""Reference pictures that lie in the gateway's store, by the file that they were sent from."""

_COLOUR = re.compile(r"#?([0-9a-fA-F]{6})(?:\s+(.+))?")
_TEXT = "must be text; put it in quotes"


class BadBrief(ValueError):
    """A brief that cannot be meant; the message says where and why, in one line."""


class _Form(BaseModel):
    """Nothing is guessed: no unknown names, no numbers for texts."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Member(_Form):
    id: str = ""
    name: str = ""
    look: str = ""
    wardrobe: str = ""
    images: tuple[str, ...] = Field((), strict=False)


class _Brief(_Form):
    style: str = ""
    setting: str = ""
    story: str = ""
    palette: tuple[str, ...] = Field((), strict=False)
    cast: tuple[_Member, ...] = Field((), strict=False)
    must_have: tuple[str, ...] = Field((), strict=False)
    never_show: tuple[str, ...] = Field((), strict=False)
    language: str = ""
    pace: Literal["", "calm", "standard", "fast"] = ""
    writer: Literal["", "rules", "llm"] = ""
    pipeline: Literal["", "labels", "concept", "both"] = ""
    seed: int | None = None
    sections: dict[Annotated[int, Field(strict=False)], str] = Field(default_factory=dict)
    cut_anticipation_frames: int = 0


@dataclass(frozen=True)
class BriefFile:
    """A brief as it stands in a file; `pictures[i]` are the files of cast member i."""

    message: pb.Brief
    seed: int | None
    pictures: tuple[tuple[Path, ...], ...]

    @property
    def all_pictures(self) -> tuple[Path, ...]:
        """Every reference picture, once."""
        return tuple(dict.fromkeys(path for paths in self.pictures for path in paths))

    def brief(self, sent: Pictures) -> pb.Brief:
        """The brief with its pictures as they lie in the store; those not sent are left out."""
        made = pb.Brief()
        made.CopyFrom(self.message)
        for member, paths in zip(made.cast, self.pictures, strict=True):
            member.reference_images.extend(sent[path] for path in paths if path in sent)
        return made


def read_brief(file: Path) -> BriefFile:
    """Reads a brief.

    Raises:
        BadBrief: when it cannot be read or has something in it that no brief has.
    """
    try:
        form = _Brief.model_validate(_document(file))
        seed = form.seed
        return BriefFile(_message(form), seed, _pictures(form, file.parent))
    except ValidationError as error:
        raise BadBrief(f"{file}: {_wrong(error)}") from None
    except ValueError as error:
        raise BadBrief(f"{file}: {error}") from None


def _document(file: Path) -> Any:
    if file.suffix.lower() not in ENDINGS:
        raise ValueError("a brief is a file that ends in .yaml, .yml or .json")
    try:
        with file.open("rb") as opened:
            data = opened.read(BRIEF_BYTES + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is no text in UTF-8") from None
    except OSError as error:
        raise ValueError(error.strerror or "cannot be read") from None
    if len(data) > BRIEF_BYTES:
        raise ValueError(f"is larger than {BRIEF_BYTES >> 10} kB; shorten the brief")
    try:
        made = json.loads(text) if file.suffix.lower() == ".json" else yaml.safe_load(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: {error.msg}") from None
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{where}{error.problem or 'is no YAML'}") from None
    except yaml.YAMLError:
        raise ValueError("is no YAML: a character that cannot be in it") from None
    except RecursionError:
        raise ValueError("is nested too deeply for a brief") from None
    if not isinstance(made, dict):
        raise ValueError("must hold names with values, such as `style: neon rain`")
    return made


def _wrong(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = _place(first["loc"])
    kind = first["type"]
    if kind == "extra_forbidden":
        return f"{where} is not known; {_instead_of(first['loc'])}"
    if kind == "literal_error":
        known = first["ctx"]["expected"].removeprefix("'', ")
        return f"{where} must be {known}"
    if kind == "string_type":
        # YAML reads `#` as a comment, and no, on and 1984 as something else than text.
        return f"{where} {_TEXT}"
    if kind.startswith("int"):
        return f"{where} must be a whole number"
    return f"{where} {first['msg'][:1].lower()}{first['msg'][1:]}"


def _place(path: Sequence[int | str]) -> str:
    text = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in path)
    return text.removeprefix(".")[:80]


def _instead_of(path: Sequence[int | str]) -> str:
    """Which name may have been meant."""
    known = list((_Member if path[0] == "cast" else _Brief).model_fields)
    near = difflib.get_close_matches(str(path[-1]).lower(), known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _message(form: _Brief) -> pb.Brief:
    try:
        made = pb.Brief(
            style=form.style,
            setting=form.setting,
            story=form.story,
            palette=[_colour(text, at) for at, text in enumerate(form.palette)],
            must_have=form.must_have,
            never_show=form.never_show,
            language=form.language,
            pace=pb.Pace.Value(f"PACE_{(form.pace or 'unspecified').upper()}"),
            writer=pb.Writer.Value(f"WRITER_{(form.writer or 'unspecified').upper()}"),
            pipeline=pb.Pipeline.Value(f"PIPELINE_{(form.pipeline or 'unspecified').upper()}"),
            section_wishes=[
                pb.SectionWish(section_index=index, text=text)
                for index, text in sorted(form.sections.items())
            ],
            cut_anticipation_frames=form.cut_anticipation_frames,
        )
        for member in form.cast:
            made.cast.add(
                id=member.id, name=member.name, look=member.look, wardrobe=member.wardrobe
            )
    except (ValueError, UnicodeEncodeError) as error:
        if isinstance(error, UnicodeEncodeError):
            raise ValueError("holds half of a character (a lone surrogate)") from None
        raise
    return made


def _colour(text: str, at: int) -> Color:
    found = _COLOUR.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'palette[{at}] must be a colour such as "#1b2a4a" or "#1b2a4a navy"')
    red, green, blue = bytes.fromhex(found[1])
    return Color(red=red, green=green, blue=blue, name=found[2] or "")


def _pictures(form: _Brief, folder: Path) -> tuple[tuple[Path, ...], ...]:
    """The files of the cast's pictures; their names are meant from where the brief lies."""
    made = []
    for at, member in enumerate(form.cast):
        paths = [folder / Path(name).expanduser() for name in member.images]
        for path in paths:
            if not path.is_file():
                raise ValueError(f"cast[{at}].images: {path} is no file")
        made.append(tuple(paths))
    return tuple(made)
