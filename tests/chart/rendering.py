"""The chart as helm renders it: manifests as Python sees them, and why values are refused."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "soundsight"

Manifest: TypeAlias = dict[str, Any]
Values: TypeAlias = Mapping[str, Any]

RELEASE, NAMESPACE = "s", "media"

PLAIN: Values = {
    "database": {"external": {"existingSecret": "database"}},
    "artifacts": {"s3": {"url": "s3://songs/soundsight"}},
}
"""The least that must be said: where renders and files are kept."""

TRIAL: Values = {
    "database": {"bundled": {"password": "example"}},
    "artifacts": {"bundled": {"secretKey": "example"}},
}
"""Passwords that are otherwise made up anew whenever no cluster is there to look at."""

PROFILES: Mapping[str, tuple[tuple[str, ...], Values]] = {
    "cpu": (("cpu",), TRIAL),
    "gpu": (("gpu",), PLAIN),
    "production": (("gpu", "production"), {}),
}
"""Each profile as one installs it: value files, and the values without which they do not do."""


class Refused(Exception):
    """helm does not render these values; the message is what it says."""


@dataclass(frozen=True)
class PodOf:
    """The pods that a manifest makes."""

    manifest: Manifest
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def component(self) -> str:
        """Such as `analyzer` or `videogen-default`."""
        return self.labels["app.kubernetes.io/component"]

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All of them, those that run first included."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]


def render(values: Values = PLAIN, files: Sequence[str] = ()) -> list[Manifest]:
    """The manifests of the chart with these values on top of the profiles `values-<file>.yaml`.

    Raises Refused.
    """
    return read(render_text(json.dumps(values), tuple(files)))


def read(text: str) -> list[Manifest]:
    """The manifests in a text. The loader in C takes a tenth of the other's time."""
    return [one for one in yaml.load_all(text, yaml.CSafeLoader) if one]


def render_profile(name: str) -> list[Manifest]:
    """The manifests of a profile."""
    files, values = PROFILES[name]
    return render(values, files)


@functools.cache
def render_text(values: str, files: tuple[str, ...]) -> str:
    """What `helm template` prints, for values as JSON; the same is not rendered twice."""
    return ask_helm("template", RELEASE, CHART, values=values, files=files)


def ask_helm(*words: str | Path, values: str, files: Sequence[str] = ()) -> str:
    """What helm prints when it is asked something about values as JSON, on top of profiles.

    Raises Refused.
    """
    command: list[str | Path] = [helm(), *words, "--namespace", NAMESPACE]
    for file in files:
        command += ["--values", CHART / f"values-{file}.yaml"]
    command += ["--values", "-"]
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


@functools.cache
def helm() -> Path:
    """The helm to use: SOUNDSIGHT_HELM, or the one that the script fetches.

    Raises FileNotFoundError with the script's words where it can fetch none.
    """
    if named := os.environ.get("SOUNDSIGHT_HELM"):
        return Path(named)
    script = ROOT / "scripts" / "get-helm.sh"
    done = subprocess.run([script], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FileNotFoundError(done.stderr.strip())
    return ROOT / "build" / "tools" / "helm"


def merged(*values: Values) -> dict[str, Any]:
    """Values laid over each other as helm does: maps are merged, all else is replaced."""
    result: dict[str, Any] = {}
    for each in values:
        for key, value in each.items():
            old = result.get(key)
            if isinstance(old, Mapping) and isinstance(value, Mapping):
                result[key] = merged(old, value)
            else:
                result[key] = value
    return result


def only(manifests: Sequence[Manifest], kind: str, name: str = "") -> Manifest:
    """The one manifest of a kind whose name is the release's with this ending."""
    found = of_kind(manifests, kind)
    if name:
        found = [one for one in found if one["metadata"]["name"] == f"s-soundsight-{name}"]
    assert len(found) == 1, [one["metadata"]["name"] for one in found]
    return found[0]


def of_kind(manifests: Sequence[Manifest], kind: str) -> list[Manifest]:
    """All manifests of a kind."""
    return [one for one in manifests if one["kind"] == kind]


def pods(manifests: Sequence[Manifest]) -> Iterator[PodOf]:
    """The pods that the manifests make."""
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            yield PodOf(manifest, manifest["metadata"]["labels"], manifest["spec"])
        elif manifest["kind"] in ("Deployment", "StatefulSet", "Job"):
            template = manifest["spec"]["template"]
            yield PodOf(manifest, template["metadata"]["labels"], template["spec"])


def pod(manifests: Sequence[Manifest], component: str) -> PodOf:
    """The pods of one component."""
    (found,) = (one for one in pods(manifests) if one.component == component)
    return found


def container(manifests: Sequence[Manifest], component: str) -> dict[str, Any]:
    """The one container that does a component's work."""
    (found,) = pod(manifests, component).spec["containers"]
    assert isinstance(found, dict)
    return found


def plain_environment(manifests: Sequence[Manifest], component: str) -> dict[str, str]:
    """The variables of a component that stand in its manifest, without those from elsewhere."""
    listed = container(manifests, component)["env"]
    return {one["name"]: one["value"] for one in listed if "value" in one}
