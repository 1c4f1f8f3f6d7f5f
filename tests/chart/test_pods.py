"""What pods ask of the cluster, and how they start, stop and are counted."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from chart.rendering import (
    CHART,
    PLAIN,
    PROFILES,
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
from chart.switches import AXES

from soundsight_kit.settings import KitSettings

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


def test_defaults_hold_for_every_pod() -> None:
    """Servers for trials, Jobs and tests go where `defaults` says as well, under its labels: in a
    cluster whose nodes are all tainted, or whose pods need a label, they would not come up."""
    defaults = {
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "team", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"x": []}},
        "priorityClassName": "low",
        "podLabels": {"team": "films"},
        "podAnnotations": {"mesh/inject": "no"},
    }
    values = merged({"defaults": defaults}, AXES["database"]["bundled"], AXES["pools"]["scaled"])
    found = list(pods(with_values(merged(values, AXES["artifacts"]["bundled"]))))
    assert {"postgres", "objectstore", "weights-default", "test"} < {one.component for one in found}
    for one in found:
        placed = {key: one.spec.get(key) for key in defaults if not key.startswith("pod")}
        assert placed == {key: defaults[key] for key in placed}, one.component
        assert one.labels["team"] == "films"
        template = one.manifest["spec"].get("template", one.manifest)
        assert template["metadata"]["annotations"]["mesh/inject"] == "no"


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


@pytest.mark.parametrize(
    "holds",
    [
        {"gpus": {"nvidia.com/gpu": 1}},
        {"deviceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}]},
        {"modelCache": {"enabled": True, "accessModes": ["ReadWriteOnce"]}},
    ],
    ids=["gpu", "claim", "volume"],
)
@pytest.mark.parametrize("component", ["analyzer", "vllm-script"])
def test_a_pod_lets_go_of_what_its_successor_needs(component: str, holds: Values) -> None:
    """A device that there is once, or a volume of one node, is given up before it is asked for: a
    new pod beside the old one would wait for it, and the old one for the new one."""
    service, _, model = component.partition("-")
    own: Values = merged({"enabled": True, "model": "m"}, holds) if model else holds
    manifests = with_values({service: {model: own} if model else own})
    strategy = only(manifests, "Deployment", component)["spec"]["strategy"]
    assert strategy == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "25%"},
    }
    assert "strategy" not in only(manifests, "Deployment", "composer")["spec"]


def test_an_update_strategy_of_ones_own_stands() -> None:
    """What an operator says of replacing pods goes before what the chart would do."""
    values = {"analyzer": {"gpus": {"amd.com/gpu": 1}, "updateStrategy": {"type": "Recreate"}}}
    found = only(with_values(values), "Deployment", "analyzer")["spec"]
    assert found["strategy"] == {"type": "Recreate"}
    assert found["progressDeadlineSeconds"] > drained_within_s(found)


@pytest.mark.parametrize("component", ["videogen-default", "vllm-script"])
def test_a_rollout_may_wait_for_the_last_clip(component: str) -> None:
    """Where a new pod waits for the device of one that still drains, a rollout does not count as
    stuck before the one has ended and the other has loaded its model."""
    found = only(render_profile("gpu"), "Deployment", component)["spec"]
    startup = found["template"]["spec"]["containers"][0]["startupProbe"]
    load_s = startup["failureThreshold"] * startup["periodSeconds"]
    assert found["progressDeadlineSeconds"] > drained_within_s(found) + load_s
    quick = only(render(), "Deployment", "composer")["spec"]
    assert quick["progressDeadlineSeconds"] < drained_within_s(quick)


def drained_within_s(deployment: Manifest) -> int:
    """Seconds after which a pod that is told to end is gone."""
    within_s = deployment["template"]["spec"]["terminationGracePeriodSeconds"]
    assert isinstance(within_s, int)
    return within_s


def test_the_built_in_renderer_asks_for_what_it_takes() -> None:
    """A pod films as many clips at a time as it asks for cores, on a node of any size, and its
    memory bears them."""
    slots = int(plain_environment(render(), "videogen-default")["SOUNDSIGHT_VIDEOGEN_SLOTS"])
    resources = container(render(), "videogen-default")["resources"]
    assert slots == int(resources["requests"]["cpu"])
    assert slots * 350 < 1024 * int(resources["limits"]["memory"].removesuffix("Gi"))


@pytest.mark.parametrize("component", SERVICES)
def test_pods_outlive_their_drain(component: str) -> None:
    """A pod is taken out of its Service, then drains, and is killed only after both."""
    manifests = render()
    drain_s = float(plain_environment(manifests, component)["SOUNDSIGHT_DRAIN_GRACE_S"])
    sleep_s = container(manifests, component)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod(manifests, component).spec["terminationGracePeriodSeconds"] > drain_s + sleep_s
    assert sleep_s > 0


@pytest.mark.parametrize("component", SERVICES)
def test_a_service_that_hangs_is_not_waited_for(component: str) -> None:
    """A drain may take hours; a process that answers no probe any more is gone within minutes, and
    gets no less than the pause before it is told to end."""
    one = container(render(), component)
    for name in ("startupProbe", "livenessProbe"):
        probe = one[name]
        within_s = probe["terminationGracePeriodSeconds"]
        assert one["lifecycle"]["preStop"]["sleep"]["seconds"] < within_s <= 60
    liveness = one["livenessProbe"]
    assert liveness["failureThreshold"] * liveness["periodSeconds"] <= 60


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


@pytest.mark.parametrize("profile", PROFILES)
def test_pods_can_listen_on_ipv6(profile: str) -> None:
    """Of no server an address of the older family is left, the bundled ones and vLLM included."""
    files, values = PROFILES[profile]
    vllm = {"vllm": {"script": {"enabled": True, "model": "o/writer"}}}
    manifests = render(merged(values, vllm, {"listenAddress": "::"}), files)
    assert not re.search(r"\b0\.0\.0\.0\b(?!/)", json.dumps(manifests))
    told = plain_environment(manifests, "gateway")
    assert told["SOUNDSIGHT_GATEWAY_HTTP_LISTEN"] == "[::]:8080"
    kit = KitSettings(
        listen=told["SOUNDSIGHT_LISTEN"], metrics_listen=told["SOUNDSIGHT_METRICS_LISTEN"]
    )
    assert (kit.listen, kit.metrics_listen) == ("[::]:7000", "[::]:9100")
    assert "--host=::" in container(manifests, "vllm-script")["args"]
    if profile == "cpu":
        assert "-s3.ip.bind=::" in container(manifests, "objectstore")["command"]


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
