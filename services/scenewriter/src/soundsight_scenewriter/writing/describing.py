"""Says what is seen in each shot, in one or two sentences, and never the same twice in a film."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace
from functools import lru_cache
from itertools import combinations, islice

from soundsight_scenewriter.brief import CastMember
from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.texts import as_sentence, capitalised
from soundsight_scenewriter.writing.film import Staging, Words
from soundsight_scenewriter.writing.skies import Sky, holds
from soundsight_scenewriter.writing.told import Told
from soundsight_scenewriter.writing.vocabulary import ENERGIES, Vignette, Vocabulary
from soundsight_scenewriter.writing.wishes import content_words

_RECENT_SUBJECTS = 8
_RECENT_LINES = 6
# So often something new is looked for before something like an earlier scene is taken.
_ATTEMPTS = 60
_BARE_SHARE = 0.1
# How many second sentences are tried alone, and how many of them in pairs.
_CLOSE_LOOKS, _PAIRED = 16, 9
_QUIET_BELOW, _LOUD_FROM = 0.36, 0.66


class Describer:
    """Draws vignettes and lines from the tables, the least used first, for one film.

    `drawn_only` leaves out what a program cannot draw; nothing is shown that has a word of
    `banned` in it, unless a world has nothing else.
    """

    def __init__(
        self, tables: Vocabulary, dice: Dice, *, drawn_only: bool, banned: Set[str] = frozenset()
    ) -> None:
        self._tables = tables
        self._dice = dice
        self._drawn_only = drawn_only
        self._banned = banned
        self._uses: Counter[str] = Counter()
        self._subjects: list[str] = []
        self._lines: list[str] = []
        self._told = Told()

    def opening(self, staging: Staging) -> Words:
        """A section's first shot: it shows the place by its name."""
        place = staging.place
        allowed = list(self._shown(place.actions))
        actions = allowed if staging.occurrence == 1 else []
        for action in self._by_use(actions, place.id):
            words = self._new(staging, place.name, action)
            if words is not None:
                self._uses[f"{place.id}: {action}"] += 1
                return words
        for _ in range(_ATTEMPTS):
            vignette, action = self._vignette(staging)
            pattern = self._by_use(self._tables.back_lines, "back")[0]
            first = pattern.format(
                place=place.name,
                Place=capitalised(place.name),
                subject=vignette.subject,
                action=action,
            )
            words = self._new(staging, vignette.subject, action, first)
            if words is not None:
                self._uses[f"back: {pattern}"] += 1
                return words
        return self._nearly_new(staging, place.name, allowed[0])

    def shot(self, staging: Staging) -> Words:
        """An ordinary shot."""
        for _ in range(_ATTEMPTS):
            vignette, action = self._vignette(staging)
            words = self._new(staging, vignette.subject, action)
            if words is not None:
                return words
        vignette, action = self._vignette(staging)
        return self._nearly_new(staging, vignette.subject, action)

    def figure(self, staging: Staging, member: CastMember) -> Words:
        """A shot of somebody who recurs."""
        level = _level(staging.drive)
        for name in (level, *(other for other in ENERGIES if other != level)):
            for action in self._by_use(self._tables.figure_actions[name], "figure"):
                words = self._new(staging, member.name, action, cast_ids=(member.id,))
                if words is not None:
                    self._uses[f"figure: {action}"] += 1
                    return words
        action = self._by_use(self._tables.figure_actions[level], "figure")[0]
        self._uses[f"figure: {action}"] += 1
        return self._nearly_new(staging, member.name, action, (member.id,))

    def given(
        self, staging: Staging, subject: str, action: str, cast_ids: tuple[str, ...] = ()
    ) -> Words:
        """A shot of what somebody asked for."""
        words = self._new(staging, subject, action, cast_ids=cast_ids)
        return words or self._nearly_new(staging, subject, action, cast_ids)

    def retell(self, staging: Staging, words: Words, about: str) -> Words:
        """The same subject and action anew; `about` is `weather`, `time` or empty: what to say."""
        first = as_sentence(f"{words.subject} {words.action}".strip())
        for line, detail in self._details(staging, words.subject):
            if about == "weather" and line not in self._tables.weather_lines[staging.weather]:
                continue
            if about == "time" and line not in self._tables.time_lines[staging.time]:
                continue
            description = f"{first} {detail}"
            if not self._told.has(description):
                return self._keep(replace(words, detail=detail, description=description))
        return self._numbered(replace(words, detail="", description=first))

    def remember(self, descriptions: Iterable[str]) -> None:
        """Scenes that exist already: nothing that is told from now on is like one of them."""
        for description in descriptions:
            self._told.add(description)

    def take(self, staging: Staging, words: Words) -> Words:
        """A further take of a shot: the same subject and action, and what else is to be seen."""
        for pattern in self._by_use(self._tables.take_lines, "take"):
            first = pattern.format(subject=words.subject, Subject=capitalised(words.subject))
            told = self._new(staging, words.subject, words.action, first, words.cast_ids)
            if told is not None:
                self._uses[f"take: {pattern}"] += 1
                return told
        return self._nearly_new(staging, words.subject, words.action, words.cast_ids)

    def _new(
        self,
        staging: Staging,
        subject: str,
        action: str,
        first: str = "",
        cast_ids: tuple[str, ...] = (),
    ) -> Words | None:
        """A description like none before it: one sentence, or with one or two more.

        `first` is the sentence to begin with, else subject and action make it. None when every way
        of saying it repeats an earlier scene.
        """
        first = first or as_sentence(f"{subject} {action}".strip())
        if not self._told.can_begin(first):
            return None
        bare = Words(subject, action, "", first, cast_ids)
        if self._dice.unit() < _BARE_SHARE and self._told.is_new(first):
            return self._keep(bare)
        for details in _singles_then_pairs(self._details(staging, f"{subject} {action}")):
            lines = [line for line, _ in details]
            if len(set(lines)) < len(lines):
                continue
            detail = " ".join(text for _, text in details)
            words = replace(bare, detail=detail, description=f"{first} {detail}")
            if self._told.is_new(words.description):
                for line, text in details:
                    self._uses[f"line {line}"] += 1
                    self._uses[f"said {text}"] += 1
                self._lines.extend(lines)
                return self._keep(words)
        return self._keep(bare) if self._told.is_new(first) else None

    def _nearly_new(
        self, staging: Staging, subject: str, action: str, cast_ids: tuple[str, ...] = ()
    ) -> Words:
        """Something that was not said in these very words: what long films come to."""
        first = as_sentence(f"{subject} {action}".strip())
        bare = Words(subject, action, "", first, cast_ids)
        for line, detail in self._details(staging, subject):
            words = replace(bare, detail=detail, description=f"{first} {detail}")
            if not self._told.has(words.description):
                self._uses[f"line {line}"] += 1
                self._uses[f"said {detail}"] += 1
                self._lines.append(line)
                return self._keep(words)
        return self._numbered(bare)

    def _keep(self, words: Words) -> Words:
        self._told.add(words.description)
        self._subjects.append(words.subject)
        return words

    def _numbered(self, words: Words) -> Words:
        """Tells repeats apart by counting them: only films of many hundred shots come here."""
        if not self._told.has(words.description):
            return self._keep(words)
        count = 2
        while self._told.has(f"{words.description} (no. {count})"):
            count += 1
        return self._keep(replace(words, description=f"{words.description} (no. {count})"))

    def _vignette(self, staging: Staging) -> tuple[Vignette, str]:
        """A vignette that suits place, sky, size and energy, and one of its actions."""
        world = staging.place.world
        sky = Sky(staging.time, staging.weather)
        possible = [
            vignette
            for vignette in world.vignettes
            if (vignette.drawn or not self._drawn_only)
            and holds(vignette.needs, world, sky)
            and not self._is_banned(vignette.subject)
        ] or list(world.vignettes)
        recent = self._subjects[-min(_RECENT_SUBJECTS, len(possible) // 2) :] or [""]
        fresh = [vignette for vignette in possible if vignette.subject not in recent] or possible
        weights = [
            _fit(vignette.energy, staging.drive)
            * (1.0 if staging.camera.size in vignette.sizes else 0.15)
            / (1.0 + self._uses[f"{world.name} {vignette.subject}"]) ** 2
            for vignette in fresh
        ]
        chosen = self._dice.weighted(fresh, weights)
        self._uses[f"{world.name} {chosen.subject}"] += 1
        actions = self._shown(chosen.actions)
        action = self._by_use(actions, f"{world.name} {chosen.subject}")[0]
        self._uses[f"{world.name} {chosen.subject}: {action}"] += 1
        return chosen, action

    def _details(self, staging: Staging, subject: str) -> Iterator[tuple[str, str]]:
        """Second sentences that fit, as (line, sentence): new ones first, then old ones again."""
        world = staging.place.world
        lines = list(world.lines)
        if world.has_sky:
            lines += self._tables.weather_lines[staging.weather]
            lines += self._tables.time_lines[staging.time]
            if staging.weather == "clear":
                lines += self._tables.clear_time_lines[staging.time]
        lines += self._tables.energy_lines[_level(staging.drive)]
        recent = set(self._lines[-_RECENT_LINES:])
        ranked = sorted(
            (line for line in self._dice.shuffled(lines) if not self._is_banned(line)),
            key=lambda line: (line in recent, self._uses[f"line {line}"]),
        )
        said = content_words(subject)
        lines_taken = [(line, said | content_words(line)) for line in ranked]
        surfaces = self._dice.shuffled(self._shown(world.surfaces))
        far = self._dice.shuffled(self._shown(world.far))
        for again in (False, True):
            # All lines with one pair of words before any line with another pair.
            for turn in range(len(surfaces) * len(far)):
                surface = surfaces[turn % len(surfaces)]
                distance = far[(turn + turn // len(surfaces)) % len(far)]
                for line, taken in lines_taken:
                    if "{" not in line and turn > 0:
                        continue
                    if _clashes(line, "urface}", surface, taken) or _clashes(
                        line, "ar}", distance, taken
                    ):
                        continue
                    detail = _filled(line, surface, distance)
                    if (self._uses[f"said {detail}"] > 0) is again:
                        yield line, detail

    def _by_use(self, options: Sequence[str], what: str) -> list[str]:
        """The options, those used least so far first, else in random order."""
        return sorted(
            self._dice.shuffled(options), key=lambda option: self._uses[f"{what}: {option}"]
        )

    def _shown(self, texts: Sequence[str]) -> Sequence[str]:
        """Those that may be shown; all of them when none may."""
        return [text for text in texts if not self._is_banned(text)] or texts

    def _is_banned(self, text: str) -> bool:
        return bool(self._banned) and bool(content_words(text) & self._banned)


def _singles_then_pairs(
    details: Iterator[tuple[str, str]],
) -> Iterator[tuple[tuple[str, str], ...]]:
    """The first few second sentences alone, then the first of those in pairs."""
    looks = []
    for look in islice(details, _CLOSE_LOOKS):
        looks.append(look)
        yield (look,)
    yield from combinations(looks[:_PAIRED], 2)


def _clashes(line: str, slot: str, words: str, taken: Set[str]) -> bool:
    """Whether a line has the slot and its words would repeat what the sentence already says."""
    return slot in line and not content_words(words).isdisjoint(taken)


@lru_cache(maxsize=16_384)
def _filled(line: str, surface: str, far: str) -> str:
    """A second sentence: a line with words in its slots."""
    return line.format(surface=surface, far=far, Surface=capitalised(surface), Far=capitalised(far))


def _level(drive: float) -> str:
    if drive < _QUIET_BELOW:
        return "quiet"
    return "loud" if drive >= _LOUD_FROM else "middle"


def _fit(suits: tuple[float, float], drive: float) -> float:
    distance = max(suits[0] - drive, drive - suits[1], 0.0)
    return max(0.003, 1.0 - 5.0 * distance)
