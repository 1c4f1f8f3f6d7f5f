"""Says what is seen in each shot, in one or two sentences, and never the same twice in a film."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace

from soundsight_scenewriter.brief import CastMember
from soundsight_scenewriter.dice import Dice
from soundsight_scenewriter.texts import as_sentence, capitalised
from soundsight_scenewriter.writing.film import Staging, Words
from soundsight_scenewriter.writing.skies import Sky, holds
from soundsight_scenewriter.writing.vocabulary import Vignette, Vocabulary
from soundsight_scenewriter.writing.wishes import content_words

_RECENT_SUBJECTS = 8
_RECENT_LINES = 6
_ATTEMPTS = 40
_BARE_SHARE = 0.12
# A single sentence needs this many content words to stand alone.
_FEWEST_WORDS = 4
# How many earlier scenes a new one is compared with, and how many second sentences are tried.
_COMPARED = 200
_CLOSE_LOOKS = 16
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
        self._seen: set[str] = set()
        self._recent_words: deque[Set[str]] = deque(maxlen=_COMPARED)

    def opening(self, staging: Staging) -> Words:
        """A section's first shot: it shows the place by its name."""
        place = staging.place
        if staging.occurrence == 1:
            actions = [a for a in place.actions if not self._is_banned(a)] or place.actions
            action = self._least_used(actions, place.id)
            first = f"{capitalised(place.name)} {action}."
            return self._finish(staging, place.name, action, first)
        vignette, action = self._vignette(staging)
        pattern = self._least_used(self._tables.back_lines, "back")
        first = pattern.format(
            place=place.name,
            Place=capitalised(place.name),
            subject=vignette.subject,
            action=action,
        )
        return self._finish(staging, vignette.subject, action, first)

    def shot(self, staging: Staging) -> Words:
        """An ordinary shot."""
        for _ in range(_ATTEMPTS):
            vignette, action = self._vignette(staging)
            words = self._finish(
                staging, vignette.subject, action, f"{capitalised(vignette.subject)} {action}."
            )
            if words.description:
                return words
        return self._last_resort(staging)

    def figure(self, staging: Staging, member: CastMember) -> Words:
        """A shot of somebody who recurs."""
        actions = self._tables.figure_actions[_level(staging.drive)]
        action = self._least_used(actions, f"figure {_level(staging.drive)}")
        return self.given(staging, member.name, action, (member.id,))

    def given(
        self, staging: Staging, subject: str, action: str, cast_ids: tuple[str, ...] = ()
    ) -> Words:
        """A shot of what somebody asked for, or of a figure."""
        first = as_sentence(f"{subject} {action}".strip())
        return self._finish(staging, subject, action, first, cast_ids)

    def retell(self, staging: Staging, words: Words, about: str) -> Words:
        """The same subject and action anew; `about` is `weather`, `time` or empty: what to say."""
        first = as_sentence(f"{words.subject} {words.action}".strip())
        for line, detail in self._details(staging, words.subject):
            if about == "weather" and line not in self._tables.weather_lines[staging.weather]:
                continue
            if about == "time" and line not in self._tables.time_lines[staging.time]:
                continue
            description = f"{first} {detail}"
            if description not in self._seen:
                return self._keep(replace(words, detail=detail, description=description))
        return self._numbered(replace(words, detail="", description=first))

    def remember(self, descriptions: Iterable[str]) -> None:
        """Scenes that exist already: nothing that is told from now on is like one of them."""
        self._seen.update(descriptions)

    def take(self, words: Words, number: int) -> Words:
        """A further take of a shot; `number` counts its takes from 1."""
        what = f"{words.subject} {words.action}".strip().rstrip(".")
        again = f"The same shot goes on, take {number}: {what}. {words.detail}".strip()
        taken = replace(words, description=again)
        return self._numbered(taken) if again in self._seen else self._keep(taken)

    def _finish(
        self,
        staging: Staging,
        subject: str,
        action: str,
        first: str,
        cast_ids: tuple[str, ...] = (),
    ) -> Words:
        """Adds a second sentence that makes the description new.

        The description is empty when even that cannot be done for an ordinary shot.
        """
        if self._dice.unit() < _BARE_SHARE and self._is_new(first):
            return self._keep(Words(subject, action, "", first, cast_ids))
        spare: Words | None = None
        for number, (line, detail) in enumerate(self._details(staging, subject)):
            words = Words(subject, action, detail, f"{first} {detail}", cast_ids)
            if words.description in self._seen:
                continue
            if spare is None:
                spare, spare_line = words, line
            if self._is_new(words.description):
                return self._keep_with(words, line)
            if number >= _CLOSE_LOOKS:
                break
        if spare is not None:
            return self._keep_with(spare, spare_line)
        if cast_ids or staging.opens_section:
            return self._numbered(Words(subject, action, "", first, cast_ids))
        return Words(subject, action, "", "", cast_ids)

    def _is_new(self, description: str) -> bool:
        """Whether a description shares at most half of its content words with each recent one."""
        mine = content_words(description)
        if len(mine) < _FEWEST_WORDS or description in self._seen:
            return False
        return all(
            2 * len(mine & other) <= min(len(mine), len(other)) for other in self._recent_words
        )

    def _keep_with(self, words: Words, line: str) -> Words:
        self._uses[f"line {line}"] += 1
        self._uses[f"said {words.detail}"] += 1
        self._lines.append(line)
        return self._keep(words)

    def _keep(self, words: Words) -> Words:
        self._seen.add(words.description)
        self._subjects.append(words.subject)
        self._recent_words.append(content_words(words.description))
        return words

    def _numbered(self, words: Words) -> Words:
        """Tells repeats apart by counting them: only films of many hundred shots come here."""
        count = 2
        while f"{words.description} (no. {count})" in self._seen:
            count += 1
        return self._keep(replace(words, description=f"{words.description} (no. {count})"))

    def _last_resort(self, staging: Staging) -> Words:
        for vignette in staging.place.world.vignettes:
            for action in vignette.actions:
                first = f"{capitalised(vignette.subject)} {action}."
                words = self._finish(staging, vignette.subject, action, first)
                if words.description:
                    return words
        vignette, action = self._vignette(staging)
        first = f"{capitalised(vignette.subject)} {action}."
        return self._numbered(Words(vignette.subject, action, "", first))

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
        actions = [a for a in chosen.actions if not self._is_banned(a)] or chosen.actions
        return chosen, self._least_used(actions, f"{world.name} {chosen.subject} does")

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
        surfaces = self._dice.shuffled(world.surfaces)
        far = self._dice.shuffled(world.far)
        said = content_words(subject)
        for again in (False, True):
            # All lines with one pair of words before any line with another pair.
            for turn in range(len(surfaces) * len(far)):
                surface = surfaces[turn % len(surfaces)]
                distance = far[(turn + turn // len(surfaces)) % len(far)]
                for line in ranked:
                    if "{" not in line and turn > 0:
                        continue
                    taken = said | content_words(line)
                    if _clashes(line, "urface}", surface, taken) or _clashes(
                        line, "ar}", distance, taken
                    ):
                        continue
                    detail = line.format(
                        surface=surface,
                        far=distance,
                        Surface=capitalised(surface),
                        Far=capitalised(distance),
                    )
                    if (self._uses[f"said {detail}"] > 0) is again:
                        yield line, detail

    def _least_used(self, options: Sequence[str], what: str) -> str:
        """One of the options used least so far."""
        least = min(self._uses[f"{what}: {option}"] for option in options)
        chosen = self._dice.pick([o for o in options if self._uses[f"{what}: {o}"] == least])
        self._uses[f"{what}: {chosen}"] += 1
        return chosen

    def _is_banned(self, text: str) -> bool:
        return bool(self._banned) and bool(content_words(text) & self._banned)


def _clashes(line: str, slot: str, words: str, taken: Set[str]) -> bool:
    """Whether a line has the slot and its words would repeat what the sentence already says."""
    return slot in line and bool(content_words(words) & taken)


def _level(drive: float) -> str:
    if drive < _QUIET_BELOW:
        return "quiet"
    return "loud" if drive >= _LOUD_FROM else "middle"


def _fit(suits: tuple[float, float], drive: float) -> float:
    distance = max(suits[0] - drive, drive - suits[1], 0.0)
    return max(0.003, 1.0 - 5.0 * distance)
