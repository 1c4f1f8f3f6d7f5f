"""What the chart renders is what Kubernetes and the operators take, however it is switched."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from chart.kubernetes_schemas import NEWEST, OLDEST, faults
from chart.rendering import (
    CHART,
    PLAIN,
    PROFILES,
    Manifest,
    ask_helm,
    merged,
    read,
    render,
    render_profile,
)
from chart.switches import AXES, COMBINATIONS, all_pairs, combinations, pairs_of, values_of

RENDERED = Path(__file__).parent / "rendered"


def faults_in(manifests: list[Manifest]) -> list[str]:
    """What the oldest and the newest release find wrong."""
    return [
        fault for release in (OLDEST, NEWEST) for one in manifests for fault in faults(one, release)
    ]


def test_the_combinations_have_every_pair() -> None:
    """Whatever two switches do to each other, it is seen in one of the combinations."""
    covered = set().union(*(pairs_of(positions) for positions in combinations()))
    assert len(combinations()) == COMBINATIONS
    assert all_pairs() - covered == set()


@pytest.mark.parametrize("number", range(COMBINATIONS))
def test_every_combination_of_switches_is_valid(number: int) -> None:
    """However switches are combined, manifests are valid in the oldest and the newest release, and
    no two of them are the same object."""
    manifests = render(values_of(combinations()[number]))
    assert faults_in(manifests) == []
    names = Counter((one["kind"], one["metadata"]["name"]) for one in manifests)
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_are_valid(profile: str) -> None:
    """Each profile is valid in the oldest and the newest release."""
    assert faults_in(render_profile(profile)) == []


@pytest.mark.parametrize("profile", PROFILES)
def test_rendered_examples_are_what_the_chart_gives(profile: str) -> None:
    """What a change to the chart does to manifests shows in the change (`make chart-examples`)."""
    assert read((RENDERED / f"{profile}.yaml").read_text()) == render_profile(profile)


@pytest.mark.parametrize("profile", PROFILES)
def test_helm_finds_nothing_to_remark(profile: str) -> None:
    """`helm lint --strict` is content with every profile."""
    files, values = PROFILES[profile]
    ask_helm("lint", "--strict", CHART, values=json.dumps(values), files=files)


def test_the_chart_names_the_oldest_release() -> None:
    """helm refuses clusters that are older than what manifests are checked against."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={OLDEST}.0-0"


def test_validation_sees_what_is_wrong() -> None:
    """A field that does not exist is found, in Kubernetes' kinds and in custom ones."""
    manifests = [*render_profile("production"), *render(merged(PLAIN, AXES["doors"]["routes"]))]
    kinds = ("Deployment", "ScaledObject", "Certificate", "PrometheusRule")
    for kind in (*kinds, "GRPCRoute", "HTTPRoute"):
        one = next(one for one in manifests if one["kind"] == kind)
        broken = {**one, "spec": {**one["spec"], "replicaz": 1}}
        assert any("replicaz" in fault for fault in faults(broken, NEWEST)), kind


def test_names_stay_within_what_kubernetes_takes() -> None:
    """With the longest names, none is longer than a label may be."""
    pool = "p" * 16
    values = {
        "fullnameOverride": "f" * 60,
        "videogen": {"pools": {pool: AXES["pools"]["scaled"]["videogen"]["pools"]["default"]}},
    }
    manifests = render(merged(PLAIN, AXES["database"]["bundled"], values))
    names = {one["metadata"]["name"]: one["kind"] for one in manifests}
    assert sum(pool in name for name in names) > 3
    for name, kind in names.items():
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
        # A StatefulSet's name and a digest are the value of a label.
        assert len(name) <= (52 if kind == "StatefulSet" else 63)
