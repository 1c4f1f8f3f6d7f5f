"""What pods ask of the cluster, and how they start, stop and are counted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from chart.rendering import (
    CHART,
    PLAIN,
    Manifest,
    Values,
    ask_helm,
    container,
    merged,
    only,
    plain_environment,
    pod,
    pods,
    read,
    render,
    render_profile,
)

SERVICES = ("gateway", "analyzer", "scenewriter", "composer", "videogen-default")


def with_values(values: Values) -> list[Manifest]:
    """The chart with values on top of the least."""
    return render(merged(PLAIN, values))


@pytest.mark.parametrize(
    "resource",
    ["nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/xe", "nvidia.com/mig-3g.40gb"],
)
def test_devices_of_any_maker_are_asked_for_by_name(resource: str) -> None:
    """A device is a limit of the container, beside its memory; no other component asks for it."""
    manifests = with_values({"videogen": {"pools": {"default": {"gpus": {resource: 2}}}}})
    limits = container(manifests, "videogen-default")["resources"]["limits"]
    assert limits == {"memory": "4Gi", resource: 2}
    assert resource not in str(container(manifests, "analyzer"))


def test_devices_may_be_claimed() -> None:
    """Dynamic resource allocation: the pod has the claim, and the container uses it."""
    claim = {"name": "gpu", "resourceClaimTemplateName": "one-gpu"}
    manifests = with_values({"videogen": {"deviceClaims": [claim]}})
    assert pod(manifests, "videogen-default").spec["resourceClaims"] == [claim]
    assert container(manifests, "videogen-default")["resources"]["claims"] == [{"name": "gpu"}]


def test_pods_go_where_they_are_told() -> None:
    """Everything that the scheduler listens to is passed on, and a spread without a selector is of
    the component's own pods."""
    values = {
        "composer": {
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {"x": []}},
            "runtimeClassName": "gvisor",
            "schedulerName": "own",
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone"}],
        }
    }
    spec = pod(with_values(values), "composer").spec
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert (spec["runtimeClassName"], spec["schedulerName"]) == ("gvisor", "own")
    assert spec["affinity"] == {"nodeAffinity": {"x": []}}
    (spread,) = spec["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == "composer"


def test_pods_carry_what_operators_add() -> None:
    """Labels, annotations, variables, volumes and pull secrets are added to the chart's own."""
    values = {
        "image": {"registry": "registry.org/films", "tag": "7", "pullSecrets": ["pull"]},
        "analyzer": {
            "podLabels": {"team": "ears"},
            "podAnnotations": {"note": "x"},
            "extraEnv": [{"name": "TZ", "value": "UTC"}],
            "extraEnvFrom": [{"secretRef": {"name": "more"}}],
            "extraVolumes": [{"name": "prompts", "configMap": {"name": "p"}}],
            "extraVolumeMounts": [{"name": "prompts", "mountPath": "/prompts"}],
            "image": {"digest": "sha256:" + "a" * 64},
        },
    }
    manifests = with_values(values)
    analyzer, one = pod(manifests, "analyzer"), container(manifests, "analyzer")
    template = analyzer.manifest["spec"]["template"]["metadata"]
    assert template["labels"]["team"] == "ears"
    assert template["annotations"]["note"] == "x"
    assert {"name": "TZ", "value": "UTC"} in one["env"]
    assert one["envFrom"] == [{"secretRef": {"name": "more"}}]
    assert [volume["name"] for volume in analyzer.spec["volumes"]] == ["scratch", "prompts"]
    assert [mount["mountPath"] for mount in one["volumeMounts"]] == ["/tmp", "/prompts"]
    assert one["image"] == "registry.org/films/soundsight-analyzer@sha256:" + "a" * 64
    assert container(manifests, "composer")["image"] == "registry.org/films/soundsight-composer:7"
    films = container(render_profile("gpu"), "videogen-default")["image"]
    assert films == "soundsight-videogen:0.1.0-cuda"
    for every in pods(manifests):
        assert every.spec["imagePullSecrets"] == [{"name": "pull"}]


def test_probes_fit_slow_loads() -> None:
    """A start may take as long as it is given, and only then is health asked after for good."""
    manifests = with_values({"videogen": {"probes": {"startupSeconds": 3601}}})
    one = container(manifests, "videogen-default")
    assert one["startupProbe"]["grpc"] == {"port": 7003}
    startup = one["startupProbe"]
    assert startup["failureThreshold"] * startup["periodSeconds"] >= 3601
    assert one["readinessProbe"]["failureThreshold"] < one["livenessProbe"]["failureThreshold"]
    deadline = only(manifests, "Deployment", "videogen-default")["spec"]["progressDeadlineSeconds"]
    assert deadline > 3601


@pytest.mark.parametrize("component", SERVICES)
def test_pods_outlive_their_drain(component: str) -> None:
    """A pod is taken out of its Service, then drains, and is killed only after both."""
    manifests = render()
    drain_s = float(plain_environment(manifests, component)["SOUNDSIGHT_DRAIN_GRACE_S"])
    sleep_s = container(manifests, component)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod(manifests, component).spec["terminationGracePeriodSeconds"] > drain_s + sleep_s
    assert sleep_s > 0


def test_disruptions_are_rationed() -> None:
    """Evictions take one pod of a component at a time; those that are not ready may always go."""
    manifests = with_values({"composer": {"podDisruptionBudget": {"maxUnavailable": "25%"}}})
    budget = only(manifests, "PodDisruptionBudget", "composer")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (
        "25%",
        "AlwaysAllow",
    )
    selector = budget["selector"]["matchLabels"].items()
    assert [one.component for one in pods(manifests) if selector <= one.labels.items()] == [
        "composer"
    ]


def test_services_that_compute_follow_the_cpu() -> None:
    """An autoscaled service has an HPA, and no number of pods that would undo what it decides."""
    values = {"analyzer": {"autoscaling": {"enabled": True, "maxReplicas": 7}}}
    manifests = with_values(values)
    scaler = only(manifests, "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == "s-soundsight-analyzer"
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (1, 7)
    assert "replicas" not in only(manifests, "Deployment", "analyzer")["spec"]


def test_shared_memory_can_be_large() -> None:
    """/dev/shm is a volume in memory of the size that is asked for."""
    manifests = with_values({"videogen": {"shm": {"size": "8Gi"}}})
    volumes = {one["name"]: one for one in pod(manifests, "videogen-default").spec["volumes"]}
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "8Gi"}
    mounts = container(manifests, "videogen-default")["volumeMounts"]
    assert {"name": "shm", "mountPath": "/dev/shm"} in mounts


def test_another_version_of_the_chart_restarts_nothing(tmp_path: Path) -> None:
    """Pods that film for an hour are not restarted because the chart's version changed."""
    newer = tmp_path / "soundsight"
    shutil.copytree(CHART, newer)
    text = (newer / "Chart.yaml").read_text()
    (newer / "Chart.yaml").write_text(text.replace("\nversion: 0.1.0", "\nversion: 9.9.9"))
    told = {
        folder: ask_helm("template", "s", folder, values=json.dumps(PLAIN))
        for folder in (CHART, newer)
    }
    assert told[CHART] != told[newer]
    before, after = (list(pods(read(text))) for text in told.values())
    assert [one.spec for one in before] == [one.spec for one in after]
    templates = [[one.manifest["spec"].get("template") for one in some] for some in (before, after)]
    assert templates[0] == templates[1]
