"""What a film has told: the memory that keeps its scenes apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from soundsight_scenewriter.writing.told import Told
from soundsight_scenewriter.writing.wishes import content_words

WORDS = ("river", "stone", "ember", "hollow", "lantern", "gull", "tower", "frost", "meadow")
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)


@given(before=st.lists(TEXTS, max_size=12), text=TEXTS)
def test_new_is_what_shares_at_most_half(before: list[str], text: str) -> None:
    """A description is new exactly when it has four words and no earlier one has over half of them
    or is over half in it."""
    told = Told()
    for one in before:
        told.add(one)
    mine = content_words(text)
    expected = len(mine) >= 4 and all(
        2 * len(mine & other) <= min(len(mine), len(other)) for other in map(content_words, before)
    )
    assert told.is_new(text) is expected


@given(before=st.lists(TEXTS, max_size=12), start=TEXTS, rest=TEXTS)
def test_a_beginning_that_is_refused_cannot_be_saved(
    before: list[str], start: str, rest: str
) -> None:
    """What cannot begin a new description does not, whatever follows."""
    told = Told()
    for one in before:
        told.add(one)
    if not told.can_begin(start):
        assert not told.is_new(f"{start} {rest}")


def test_a_long_film_is_compared_with_its_latest_scenes() -> None:
    """What was told two hundred scenes ago may be told again, though not in the same words."""
    told = Told()
    told.add("a red lantern over the frost and a gull")
    for other in range(199):
        told.add(f"word{other}a word{other}b word{other}c word{other}d")
    assert not told.is_new("a gull over the frost, a red lantern")
    told.add("gull tower meadow stone")
    assert told.is_new("a gull over the frost, a red lantern")
    assert not told.is_new("a red lantern over the frost and a gull")
