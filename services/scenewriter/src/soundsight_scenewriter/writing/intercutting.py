"""Which shots of a long stretch look elsewhere, as films cut between two threads of a story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from soundsight_scenewriter.writing.film import Place
from soundsight_scenewriter.writing.places import Strand
from soundsight_scenewriter.writing.skies import Sky

# A stretch of this many shots in one place tires the eye; every fourth of it shows another.
_LONG_SHOTS = 6
_EVERY = 4


def places_of_shots(
    strand_of: Sequence[int],
    parts: Sequence[Strand],
    places: Sequence[Place],
    place_of: Mapping[str, int],
    sky_of: Sequence[Sky],
) -> list[Place]:
    """The place of each shot. `strand_of` holds the strand of each shot, `sky_of` is per strand.

    A strand is played in its own place; a long one looks now and then at the place that the film
    was in before, or comes to next, if that lies in another world that knows the strand's sky. The
    first place is the chorus's own: nobody else looks there.
    """
    shown: list[Place] = []
    for strand, shots in groupby(strand_of):
        home = places[place_of[parts[strand].label]]
        count = len(list(shots))
        before = [places[place_of[part.label]] for part in reversed(parts[:strand])]
        after = [places[place_of[part.label]] for part in parts[strand + 1 :]]
        other = next(
            (
                place
                for place in (*before, *after)
                if place is not places[0]
                and place.world is not home.world
                and _knows(place, sky_of[strand])
            ),
            home,
        )
        for number in range(count):
            # The stretch begins and ends at home.
            away = count >= _LONG_SHOTS and number % _EVERY == _EVERY - 1 and number < count - 1
            shown.append(other if away else home)
    return shown


def _knows(place: Place, sky: Sky) -> bool:
    world = place.world
    if not world.has_sky:
        return True
    return world.times.get(sky.time, 0.0) > 0.0 and world.weathers.get(sky.weather, 0.0) > 0.0
