"""The simulation of scaling, small enough to be reckoned by hand: nothing is lost on the way to
zero and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

import virtual_time
from scaling import Result, simulate
from scaling_cluster import EVICTION, SCALE_DOWN, Rules
from scaling_nodes import Site
from scaling_queue import Song

STEADY = Site(
    gpus=4, clip_s=(120, 120), node_s=(100, 100), pull_s=(50, 50), load_s=(50, 50), node_idle_s=300
)
"""A replica is ready 200 s after it was wanted; on a node that had one before, after 50 s."""
RULES = Rules(clips_per_replica=1, window_s=60, cooldown_s=120, most_replicas=4, queue_limit=0)
BURSTS = (
    [Song("first", 60.0, (1, 1, 1, 3)), Song("second", 60.0, (2, 1, 1))],
    [Song("third", 2400.0, (1,) * 8)],
)
CLIPS = 18


def simulated(site: Site = STEADY, rules: Rules = RULES) -> Result:
    """The two bursts, filmed."""
    return virtual_time.run(simulate(site, rules, BURSTS))


def test_it_scales_to_zero_and_back_and_loses_nothing() -> None:
    """Every clip is filmed once; all replicas go between the bursts and after them."""
    result = simulated()
    assert result.clips == CLIPS
    assert sorted(result.filmed.clips.values()) == [1] * CLIPS
    assert len(result.waits.clips_s) == CLIPS
    assert len(result.waits.songs_s) == 3
    assert not result.filmed.lost
    assert (result.waits.failed, result.waits.attempts) == (0, 0)
    assert result.use.peak == 4
    first, second = result.use.to_zero_s
    assert 60 < first < 2400 < second < result.took_s


def test_it_comes_out_as_reckoned_by_hand() -> None:
    """The last burst: eight clips of two minutes, on four replicas that come one by one."""
    result = simulated()
    waits_s = sorted(result.waits.clips_s[-8:])
    # KEDA hears within its look of 10 s that there is work and makes the first replica. The
    # autoscaler finds eight clips at its next look, 15 s later at most, and makes the other three.
    # All nodes are new: 200 s, and what the gateway takes to hear of them.
    assert waits_s[0] == pytest.approx(200 + 10 / 2, abs=10 / 2 + 2)
    assert all(200 <= wait_s <= 200 + 25 + 2 for wait_s in waits_s[:4])
    assert waits_s[4:] == pytest.approx([wait_s + 120 for wait_s in waits_s[:4]], abs=1.5)
    assert result.filmed.filming_s == pytest.approx(CLIPS * 120)


def test_without_draining_clips_would_be_lost() -> None:
    """It is by draining that replicas keep their clips: else some are lost, and filmed again."""
    # Clips of different lengths: replicas go while others film, and nobody says which should.
    site = replace(STEADY, clip_s=(60, 240))
    abrupt = replace(RULES, grace_s=0, window_s=15, deletion_cost=False)
    result = simulated(site, abrupt)
    assert result.filmed.lost[SCALE_DOWN] > 0
    assert sorted(result.filmed.clips.values()) == [1] * CLIPS
    kept = simulated(site, replace(abrupt, grace_s=600))
    assert not kept.filmed.lost


def test_the_evicted_are_counted_apart_and_filmed_again() -> None:
    """Nodes that are taken away cost time, but no clip."""
    result = simulated(site=replace(STEADY, eviction_every_h=0.1))
    assert result.use.evictions > 0
    assert result.filmed.lost[EVICTION] > 0
    assert result.filmed.lost[SCALE_DOWN] == 0
    assert sorted(result.filmed.clips.values()) == [1] * CLIPS
    assert result.waits.failed == 0


def test_a_simulation_repeats() -> None:
    """The same seed gives the same hours, to the last digit."""
    site = replace(STEADY, clip_s=(60, 240), node_s=(60, 200), eviction_every_h=1.0)
    assert simulated(site=site) == simulated(site=site)
