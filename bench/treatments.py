"""How different films are that are written for different songs, and how much a film repeats itself.

Ten songs: those of a folder, and songs that are made here (different keys, tempi, bands). Each is
heard by the suite once, then the rules write its storyboard, for a backend that reads fields (the
built-in renderer's kind) and for one that reads words; a language model writes for the latter too,
when one is named (`scripted` is the server of the tests: it writes nonsense, in another wording
every time). Storyboards that somebody else wrote are scored from their documents in the same way.

    .venv/bin/python bench/treatments.py SONGS_DIR
    .venv/bin/python bench/treatments.py SONGS_DIR --llm-url http://localhost:8000/v1 --llm-model M
    .venv/bin/python bench/treatments.py SONGS_DIR --llm-url scripted
    .venv/bin/python bench/treatments.py --storyboards one.json two.json
    .venv/bin/python bench/treatments.py SONGS_DIR --show 20    # descriptions, to be read aloud

What is measured, all of it over content words (no articles, prepositions, plurals):

- *alike*: of two treatments, the share of their words that both have (Jaccard): title, logline,
  theme, look, period, motifs, places, cast and arc.
- *repeats*: within a film, the largest share of a scene's words that another scene has as well, of
  the shorter of the two. 0.50 is the most that a film may have. *pairs* counts those above it.
- *names*: places and cast of scenes that the treatment does not have. There must be none.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from google.protobuf import json_format

from songsmith.catalogue import HARD, STANDARD
from soundsight.analyzer.v1.analysis_pb2 import SongAnalysis
from soundsight.common.v1.common_pb2 import FrameRate
from soundsight.scenewriter.v1.scenewriter_pb2 import WRITER_LLM, WriteStoryboardRequest
from soundsight.scenewriter.v1.storyboard_pb2 import Authorship, Storyboard
from soundsight.videogen.v1 import profile_pb2
from soundsight_scenewriter.llm.writer import ModelWriter
from soundsight_scenewriter.moderation import NoModerator
from soundsight_scenewriter.requests import read_write_request
from soundsight_scenewriter.settings import SceneWriterSettings
from soundsight_scenewriter.storyboards import finish_storyboard, plan_shots, write_storyboard
from soundsight_scenewriter.writing.wishes import content_words

SONG_ENDINGS = {".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"}

MADE = (
    "s01-60-chapel",
    "s07-86-club",
    "s16-125-garage",
    "h10-metal-tempest-180",
    "h15-no-drums-salon-3-4-138",
    "h16-no-drums-hall-6-8-66",
)
"""Songs of the catalogue that differ in key, mode, tempo, metre and band."""

BUILT_IN = ("abstract", "city", "desert", "forest", "mountains", "ocean", "space")
MOST_SHARED = 0.5
_SCRIPTED = Path(__file__).parents[1] / "services" / "scenewriter" / "tests" / "support"
FPS = 24


@dataclass(frozen=True)
class Score:
    """What one storyboard is worth by itself."""

    scenes: int
    repeats: float
    pairs: int
    unresolved: int
    worst: tuple[str, str]


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("songs", nargs="?", type=Path, default=os.environ.get("SONGS_DIR"))
    parser.add_argument("--storyboards", nargs="+", type=Path, default=[], metavar="JSON")
    parser.add_argument("--cache", type=Path, help="keeps what was heard for the next time")
    parser.add_argument("--llm-url", help="a language model that writes, too; or: scripted")
    parser.add_argument("--llm-model", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, metavar="N", help="prints N scenes a film")
    asked = parser.parse_args()
    if asked.storyboards:
        read = {path.stem: Storyboard() for path in asked.storyboards}
        for path in asked.storyboards:
            json_format.Parse(path.read_bytes(), read[path.stem])
        _report("as written", read, asked.show)
        return
    with tempfile.TemporaryDirectory() as scratch:
        heard = dict(_heard(asked.songs, asked.cache or Path(scratch)))
    for kind, words in (("for a backend of fields", False), ("for a backend of words", True)):
        films = {name: written(song, asked.seed, words=words) for name, song in heard.items()}
        _report(kind, films, asked.show)
    if asked.llm_url:
        with _model(asked.llm_url, asked.llm_model) as writer:
            films = {
                name: asyncio.run(_written_by(writer, song, asked.seed))
                for name, song in heard.items()
            }
        _report(f"by {writer.model}, for a backend of words", films, asked.show)


def _heard(songs: Path | None, folder: Path) -> Iterator[tuple[str, SongAnalysis]]:
    """The songs as the suite hears them, by name."""
    files = sorted(Path(songs).iterdir()) if songs else []
    paths = {path.stem: path for path in files if path.suffix in SONG_ENDINGS}
    made = {entry.name: entry for entry in (*STANDARD, *HARD)}
    paths |= {name: made[name].flac(folder) for name in MADE}
    for name, path in paths.items():
        document = folder / f"{path.stem}.analysis.json"
        if not document.exists():
            print(f"listening to {name}", file=sys.stderr)
            words = ["analyze", path, "-q", "--json", document]
            command = [sys.executable, "-m", "soundsight_cli", "--state-dir", str(folder / "state")]
            subprocess.run([*command, *map(str, words)], check=True)
        analysis = json_format.Parse(document.read_bytes(), SongAnalysis())
        if name in made:
            # Its title says nothing but its number.
            analysis.metadata.title = ""
        yield name, analysis


def written(song: SongAnalysis, seed: int, *, words: bool) -> Storyboard:
    """The rules' storyboard of a song."""
    order = read_write_request(request_for(song, seed, words=words))
    return write_storyboard(order, Authorship(), _silent)


async def _written_by(writer: ModelWriter, song: SongAnalysis, seed: int) -> Storyboard:
    """A model's storyboard of a song, for a backend that reads words."""
    request = request_for(song, seed, words=True)
    request.brief.writer = WRITER_LLM
    order = read_write_request(request, has_model=True)
    planned = plan_shots(order, _silent)
    film, _ = await writer.write(order, planned, NoModerator(), _silent, None)
    return finish_storyboard(order, planned, film, Authorship(), _silent)


@contextmanager
def _model(url: str, name: str) -> Iterator[ModelWriter]:
    """The writer that asks the model, which for `scripted` is started here."""
    with ExitStack() as running:
        if url == "scripted":
            sys.path.append(str(_SCRIPTED))
            scripted_writer = import_module("scripted_writer")
            url = running.enter_context(scripted_writer.writing_model()).url
            name = scripted_writer.MODEL
        yield ModelWriter(SceneWriterSettings(llm_url=url, llm_model=name))


def _silent(stage: str, done: int, total: int, message: str) -> None:
    """Nobody follows the writing."""


def request_for(song: SongAnalysis, seed: int, *, words: bool) -> WriteStoryboardRequest:
    """What the suite would ask for, for a backend that reads words or one that reads fields."""
    audio, rate = song.audio, song.audio.sample_rate_hz
    request = WriteStoryboardRequest(
        analysis=song,
        frames=max(1, (2 * audio.samples * FPS + rate) // (2 * rate)),
        frame_rate=FrameRate(num=FPS, den=1),
        seed=seed,
    )
    video = request.video
    if words:
        video.min_frames, video.max_frames = 17, 121
        video.prompt_dialect.camera_words = True
        video.capabilities.append(profile_pb2.VIDEO_CAPABILITY_NEGATIVE_PROMPT)
    else:
        video.settings[:] = BUILT_IN
        video.prompt_dialect.style = profile_pb2.PROMPT_STYLE_FIELDS
        video.capabilities.append(profile_pb2.VIDEO_CAPABILITY_MUSIC_CUES)
    return request


def treatment_words(board: Storyboard) -> frozenset[str]:
    """The content words of a treatment."""
    told = board.treatment
    texts = [told.title, told.logline, told.theme, told.look, told.period, *told.motifs]
    texts += [f"{place.name} {place.description}" for place in told.places]
    texts += [f"{member.name} {member.look} {member.wardrobe}" for member in told.cast]
    texts += [point.text for point in told.arc]
    return content_words(" ".join(texts))


def alike(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's index: 0 for nothing in common, 1 for the same words."""
    return len(one & other) / max(1, len(one | other))


def score(board: Storyboard) -> Score:
    """Measures a storyboard by itself."""
    words = [content_words(scene.description) for scene in board.scenes]
    shared = {
        (a, b): len(words[a] & words[b]) / max(1, min(len(words[a]), len(words[b])))
        for a, b in itertools.combinations(range(len(words)), 2)
    }
    worst = max(shared, key=lambda pair: shared[pair]) if shared else (0, 0)
    places = {"", *(place.id for place in board.treatment.places)}
    cast = {member.id for member in board.treatment.cast}
    return Score(
        scenes=len(board.scenes),
        repeats=max(shared.values(), default=0.0),
        pairs=sum(share > MOST_SHARED for share in shared.values()),
        unresolved=sum(
            (scene.place_id not in places) + len(set(scene.cast_ids) - cast)
            for scene in board.scenes
        ),
        worst=(board.scenes[worst[0]].description, board.scenes[worst[1]].description),
    )


def _report(kind: str, films: Mapping[str, Storyboard], show: int) -> None:
    print(f"\n{kind}\n")
    width = max(len(name) for name in films)
    scores = {name: score(board) for name, board in films.items()}
    print(f"{'song':<{width}}  scenes  repeats  pairs  names  title, places")
    for name, board in films.items():
        one, told = scores[name], board.treatment
        where = ", ".join(place.name for place in told.places)
        print(
            f"{name:<{width}}  {one.scenes:>6}  {one.repeats:>7.2f}  {one.pairs:>5}"
            f"  {one.unresolved:>5}  {told.title}: {where}"
        )
    _print_alike({name: treatment_words(board) for name, board in films.items()}, width)
    for name, one in scores.items():
        if one.pairs:
            print(f"{name}: {one.worst[0]!r} and {one.worst[1]!r}")
    for name, board in films.items() if show else ():
        print(f"\n{name}: {board.treatment.title}. {board.treatment.logline}")
        print(f"  look: {board.treatment.look}")
        print("\n".join(f"  {scene.description}" for scene in board.scenes[:show]))


def _print_alike(words: Mapping[str, frozenset[str]], width: int) -> None:
    """The table of pairs, and its mean and largest."""
    names: Sequence[str] = list(words)
    print(f"\n{'alike':<{width}}  " + "  ".join(f"{at:>4}" for at in range(1, len(names))))
    found = []
    for row, name in enumerate(names):
        shares = [alike(words[name], words[other]) for other in names[:row]]
        found += shares
        print(f"{name:<{width}}  " + "  ".join(f"{share:.2f}" for share in shares))
    if found:
        print(f"mean {sum(found) / len(found):.2f}, largest {max(found):.2f}")


if __name__ == "__main__":
    main()
