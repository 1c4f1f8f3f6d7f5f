"""Each alert fires when it must and keeps quiet when it must not, as promtool evaluates it.

The cases lie in `alerts/`, in promtool's own format.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from chart.exported import FROM_THE_CLUSTER, known_metrics, scraped_as
from chart.prometheus import promtool, written
from chart.rendering import CHART, PROFILES, merged, render, render_profile

from soundsight_gateway import states

FILES = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))

FROM_SCRAPING = frozenset({"namespace", "job", "pod"})
"""Labels that a series gets when it is scraped, as far as cases need them."""

VALUES = {
    "state": {states.label(state) for state in states.FINAL},
    "what": {"waiting", "running", "open", "closed"},
    "code": {code.name for code in grpc.StatusCode},
}
"""What labels may say."""


def cases() -> Iterator[dict[str, Any]]:
    """Each story that promtool is told: some series, and which alerts fire at which time."""
    for path in FILES:
        yield from yaml.safe_load(path.read_text())["tests"]


def alerts() -> dict[str, str]:
    """The expression of each alert."""
    groups = yaml.safe_load((CHART / "alerts.yaml").read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def metric_of(series: dict[str, Any]) -> str:
    """The name before a series' labels."""
    return str(series["series"]).partition("{")[0]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_alerts_of_every_profile_are_sound(profile: str, tmp_path: Path) -> None:
    """Prometheus takes the rules that a profile renders, each expression of which it can parse."""
    files, values = PROFILES[profile]
    on = {"monitoring": {"prometheusRule": {"enabled": True}}}
    rules = written(render(merged(values, on), files), tmp_path)
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", rules)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_alerts_fire_when_they_must_and_only_then(file: Path, tmp_path: Path) -> None:
    """What the cases say of each time is what the rendered alerts do, word for word."""
    written(render_profile("production"), tmp_path)
    done = promtool("test", "rules", shutil.copy(file, tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_of_either_kind() -> None:
    """There is a story in which it fires, and one about its metrics in which it never does."""
    expressions = alerts()
    fires: set[str] = set()
    quiet: set[str] = set()
    for case in cases():
        told: dict[str, list[bool]] = {}
        for at in case["alert_rule_test"]:
            told.setdefault(at["alertname"], []).append(bool(at["exp_alerts"]))
        metrics = {metric_of(one) for one in case["input_series"]}
        for alert, fired in told.items():
            assert any(metric in expressions[alert] for metric in metrics), case["name"]
            (fires if any(fired) else quiet).add(alert)
    assert fires == quiet == expressions.keys()


def test_series_of_cases_are_as_services_export_them() -> None:
    """A metric of ours has in the cases exactly its own labels, with values that it can have, and
    those of scraping, which push aside what bears their name."""
    known = known_metrics()
    scraped = scraped_as(render_profile("production"), "gateway", "s-soundsight-gateway-0").keys()
    for case in cases():
        for one in case["input_series"]:
            metric = metric_of(one)
            labels = dict(re.findall(r'(\w+)="([^"]*)"', one["series"]))
            assert labels.keys() >= FROM_SCRAPING - {"pod"}, one["series"]
            if metric not in FROM_THE_CLUSTER:
                own = {f"exported_{own}" if own in scraped else own for own in known[metric]}
                assert labels.keys() == own | FROM_SCRAPING, one["series"]
            for label in labels.keys() & VALUES.keys():
                assert labels[label] in VALUES[label], one["series"]
