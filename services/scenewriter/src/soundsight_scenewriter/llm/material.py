"""What the model is told of song, brief and film, in lines of text; all of it neutralised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from soundsight_scenewriter.brief import Brief, CastMember
from soundsight_scenewriter.llm.sung import SungLine, sung_between
from soundsight_scenewriter.llm.untrusted import as_data, quoted
from soundsight_scenewriter.song import Section, Song
from soundsight_scenewriter.writing.film import Treatment

_TITLE, _NAME, _LINE, _TEXT, _PEOPLE = 120, 60, 200, 400, 800
_MOST_TAGS = 5
_LOUD_FROM, _QUIET_BELOW = 0.65, 0.35
_FEWEST_LINES = 4


def song_facts(
    song: Song, sung: Sequence[SungLine], brief: Brief, *, labels: bool, most: int
) -> str:
    """The song: what is measured, and by the pipeline asked for its labels, its concept or both.

    Texts get at most about `most` characters together.
    """
    lines = [f"Length: {_clock(song.duration_s)}."]
    if song.title:
        lines.append(f"Title: {quoted(song.title, _TITLE)}")
    concept = song.concept_summary if brief.reads_concept else ""
    if labels or not concept:
        lines += _labels(song)
    if concept:
        lines.append(f"What a listener imagined: {quoted(concept, most // 2)}")
    words = _lines_within([line.text for line in sung], most // 3)
    if words:
        lines.append(f"It is sung: {words}")
    return "\n".join(lines)


def _labels(song: Song) -> list[str]:
    lines = []
    facts = [f"{song.tempo_bpm:.0f} beats a minute"] if song.tempo_bpm else []
    if song.tonic and song.mode:
        facts.append(f"{song.tonic} {'major' if song.mode > 0 else 'minor'}")
    if facts:
        lines.append(f"Music: {', '.join(facts)}.")
    lines.append(f"Mood: {_mood(song.valence, song.arousal)}.")
    groups: dict[str, list[str]] = {}
    if song.genre:
        groups["genre"] = [as_data(song.genre, _NAME)]
    for tag in sorted(song.tags, key=lambda tag: -tag.weight):
        words = groups.setdefault(as_data(tag.group, _NAME), [])
        word = as_data(tag.word, _NAME)
        if len(words) < _MOST_TAGS and word not in words:
            words.append(word)
    lines += [f"{group}: {', '.join(words)}" for group, words in groups.items()]
    return lines


def wishes(brief: Brief, most: int) -> str:
    """What the caller wished for the whole film; the story gets at most `most` characters."""
    lines = []
    for name, text in (("Style", brief.style), ("Setting", brief.setting)):
        if text:
            lines.append(f"{name} wished for: {quoted(text, _TEXT)}")
    if brief.story:
        lines.append(f"The story to tell: {quoted(brief.story, most)}")
    lists = (("Must be seen", brief.must_have), ("Must never be seen", brief.never_show))
    for name, items in lists:
        if items:
            lines.append(f"{name}: {_some((quoted(item, _NAME * 2) for item in items), most)}")
    if brief.cast:
        lines.append(f"Who appears: {_some(map(_person, brief.cast), most)}")
    return "\n".join(lines)


def treatment_lines(treatment: Treatment) -> str:
    """The film as it is decided, in a few lines that every later question carries."""
    lines = [
        f"The film: {quoted(treatment.title, _TITLE)}. {as_data(treatment.logline, _TEXT)}",
        f"Theme: {as_data(treatment.theme, _LINE)}. Period: {as_data(treatment.period, _NAME)}.",
        f"Look: {as_data(treatment.look, _LINE)}",
        "Places: "
        + "; ".join(
            f"{as_data(place.name, _NAME)} ({as_data(place.description, _LINE)})"
            for place in treatment.places
        ),
    ]
    if treatment.cast:
        lines.append(f"Cast: {_some(map(_person, treatment.cast), _PEOPLE)}")
    if treatment.motifs:
        motifs = (as_data(motif, _NAME) for motif in treatment.motifs)
        lines.append(f"Seen again and again: {_some(motifs, _LINE)}")
    return "\n".join(lines)


def _some(texts: Iterable[str], most: int) -> str:
    """The first of some texts, as many as have room."""
    kept: list[str] = []
    for text in texts:
        if kept and sum(map(len, kept)) + len(text) > most:
            break
        kept.append(text)
    return "; ".join(kept)


def _person(member: CastMember) -> str:
    name, look, wardrobe = (
        as_data(text, _LINE) for text in (member.name, member.look, member.wardrobe)
    )
    worn = f", wearing {wardrobe}" if wardrobe else ""
    return f"{name} ({look}{worn})" if look or worn else name


def section_line(section: Section, song: Song, brief: Brief, place: str = "", arc: str = "") -> str:
    """One section: what it is, how loud, what it tells, what was wished for it."""
    parts = [
        str(section.function).replace("_", " ") if section.function != "unknown" else "part",
        f"{_clock(section.start_s)} to {_clock(section.end_s)}",
        loudness(section.energy),
        _mood(section.valence, section.arousal),
    ]
    line = ", ".join(parts)
    if place:
        line += f"; at {as_data(place, _NAME)}"
    if arc:
        line += f"; what happens: {quoted(arc, _TEXT)}"
    heard = song.concept_sections.get(section.index, "") if brief.reads_concept else ""
    if heard and not arc:
        line += f"; what a listener imagined: {quoted(heard, _TEXT)}"
    wish = brief.section_wishes.get(section.index, "")
    if wish:
        line += f"; wished for: {quoted(wish, _LINE)}"
    return line


def sung_line(sung: Iterable[SungLine], start_s: float, end_s: float, most: int) -> str:
    """What is sung in a stretch of the song; empty where nothing is."""
    words = _lines_within(sung_between(sung, start_s, end_s), most)
    return f"Sung here: {words}" if words else ""


def loudness(energy: float) -> str:
    """How loud a stretch is, in a word."""
    if energy >= _LOUD_FROM:
        return "loud"
    return "quiet" if energy < _QUIET_BELOW else "middling"


def _mood(valence: float, arousal: float) -> str:
    bright = "bright" if valence > 0.2 else "dark" if valence < -0.2 else "neither bright nor dark"
    driven = "driven" if arousal > 0.2 else "calm" if arousal < -0.2 else "steady"
    return f"{bright}, {driven}"


def _lines_within(lines: Sequence[str], most: int) -> str:
    """Quoted lines up to a number of characters: spread over all when there are too many."""
    total = sum(len(line) for line in lines)
    if total > most and lines:
        keep = max(1, min(len(lines), _FEWEST_LINES, most), len(lines) * most // max(1, total))
        lines = [lines[index * len(lines) // keep] for index in range(keep)]
    return " / ".join(quoted(line, _LINE) for line in lines)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
