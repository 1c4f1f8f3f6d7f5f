"""Each feature of the chart, one property at a time."""

from __future__ import annotations

import json

from chart.rendering import (
    CHART,
    PLAIN,
    TRIAL,
    Manifest,
    Values,
    ask_helm,
    container,
    merged,
    of_kind,
    only,
    plain_environment,
    pod,
    pods,
    render,
    render_profile,
)

SERVICES = ("gateway", "analyzer", "scenewriter", "composer", "videogen-default")


def with_values(values: Values) -> list[Manifest]:
    """The chart with values on top of the least."""
    return render(merged(PLAIN, values))


def test_the_least_installs_the_suite() -> None:
    """With nothing but a database and an object store, each service runs once."""
    manifests = render()
    assert {one.component for one in pods(manifests)} == {*SERVICES, "test"}
    for kind, number in (("Deployment", 4), ("StatefulSet", 1), ("PodDisruptionBudget", 5)):
        assert len(of_kind(manifests, kind)) == number
    ports = {name: container(manifests, name)["ports"][0]["containerPort"] for name in SERVICES}
    assert list(ports.values()) == [7000, 7001, 7002, 7004, 7003]


def test_gateways_keep_their_names() -> None:
    """Gateways are a StatefulSet whose pods start at once; a pod's name is its executor's id."""
    manifests = with_values({"gateway": {"replicas": 3}})
    gateways = only(manifests, "StatefulSet")["spec"]
    assert (gateways["replicas"], gateways["podManagementPolicy"]) == (3, "Parallel")
    variables = {one["name"]: one for one in container(manifests, "gateway")["env"]}
    named = variables["SOUNDSIGHT_GATEWAY_EXECUTOR_ID"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert named == "metadata.name"
    governing = only(manifests, "Service", gateways["serviceName"].removeprefix("s-soundsight-"))
    assert governing["spec"]["clusterIP"] == "None"


def test_a_service_can_be_swapped() -> None:
    """Another implementation's address replaces a service: nothing of ours is left of it."""
    values = {"analyzer": {"enabled": False, "externalAddress": "hear.org:443"}}
    manifests = with_values(values)
    assert plain_environment(manifests, "gateway")["SOUNDSIGHT_GATEWAY_ANALYZER"] == "hear.org:443"
    names = [one["metadata"]["name"] for one in manifests]
    assert not [name for name in names if "analyzer" in name]


def test_one_service_can_run_alone() -> None:
    """A release may hold the analyzer alone, for a gateway elsewhere."""
    off = {name: {"enabled": False} for name in ("gateway", "scenewriter", "composer", "videogen")}
    manifests = with_values(off)
    assert [one.component for one in pods(manifests)] == ["analyzer"]


def test_a_pool_may_be_elsewhere() -> None:
    """Endpoints elsewhere make a pool without pods; several pools stand side by side."""
    pools = {"default": {}, "far": {"externalAddresses": ["dns:///film.org:443", "b:7003"]}}
    manifests = with_values({"videogen": {"pools": pools}})
    told = plain_environment(manifests, "gateway")["SOUNDSIGHT_GATEWAY_VIDEO_POOLS"]
    assert '"endpoints":["dns:///film.org:443","b:7003"]' in told
    assert "s-soundsight-videogen-default.media:grpc" in told
    assert not [one for one in pods(manifests) if one.component == "videogen-far"]


def test_pools_take_what_videogen_and_defaults_say() -> None:
    """A pool's values go before videogen's, and those before the defaults; maps are merged."""
    values = {
        "defaults": {"nodeSelector": {"a": "1", "b": "1", "c": "1"}, "priorityClassName": "low"},
        "videogen": {
            "nodeSelector": {"b": "2", "c": "2"},
            "podDisruptionBudget": {"enabled": False},
            "pools": {"default": {"nodeSelector": {"c": "3"}}, "second": {"enabled": True}},
        },
    }
    manifests = with_values(values)
    default, second = pod(manifests, "videogen-default"), pod(manifests, "videogen-second")
    assert default.spec["nodeSelector"] == {"a": "1", "b": "2", "c": "3"}
    assert second.spec["nodeSelector"] == {"a": "1", "b": "2", "c": "2"}
    assert pod(manifests, "analyzer").spec["nodeSelector"] == {"a": "1", "b": "1", "c": "1"}
    assert default.spec["priorityClassName"] == "low"
    budgets = [one["metadata"]["name"] for one in of_kind(manifests, "PodDisruptionBudget")]
    assert not [name for name in budgets if "videogen" in name]


def test_keda_scales_a_pool_to_zero() -> None:
    """KEDA's object names the pool's Deployment, whose number of pods nobody else sets."""
    manifests = render_profile("gpu")
    scaled = only(manifests, "ScaledObject")["spec"]
    deployment = only(manifests, "Deployment", "videogen-default")
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (0, 8)
    behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 120
    assert [trigger["type"] for trigger in scaled["triggers"]] == ["external-push"]


def test_scenes_of_a_scaled_pool_wait_at_the_gateway() -> None:
    """Pods that KEDA adds take what waits: none waits at a busy pod, unless one says so."""
    name = "SOUNDSIGHT_VIDEOGEN_QUEUE_LIMIT"
    assert plain_environment(render_profile("gpu"), "videogen-default")[name] == "0"
    assert name not in plain_environment(render(), "videogen-default")
    own = render(merged(PLAIN, {"videogen": {"settings": {name: 1}}}), ("gpu",))
    assert plain_environment(own, "videogen-default")[name] == "1"


def test_weights_are_fetched_once_and_waited_for() -> None:
    """A Job downloads the models of the hub onto the pool's volume and leaves a mark; pods wait for
    that mark, and read the same cache."""
    manifests = render_profile("gpu")
    job = only(manifests, "Job")
    (fetching,) = job["spec"]["template"]["spec"]["initContainers"]
    assert fetching["command"] == ["hf", "download", "Wan-AI/Wan2.2-TI2V-5B-Diffusers"]
    (marking,) = job["spec"]["template"]["spec"]["containers"]
    waiting = pod(manifests, "videogen-default").spec["initContainers"][0]
    assert marking["command"][-1] == waiting["command"][-1]
    assert marking["command"][-1].startswith("/models/.soundsight/")
    homes = {
        variable["value"]
        for one in (fetching, container(manifests, "videogen-default"))
        for variable in one["env"]
        if variable["name"] == "HF_HOME"
    }
    assert homes == {"/models/hub"}
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for spec in (job["spec"]["template"]["spec"], pod(manifests, "videogen-default").spec)
        for volume in spec["volumes"]
        if volume["name"] == "models"
    ]
    assert claims == ["s-soundsight-videogen-default-models"] * 2


def test_weights_are_fetched_until_they_are_there() -> None:
    """The Job does not give up, since pods wait for it: not within a week of five minutes a try."""
    assert only(render_profile("gpu"), "Job")["spec"]["backoffLimit"] > 7 * 24 * 60 / 5


def test_weights_are_fetched_with_what_the_pool_is_told() -> None:
    """A token in a Secret's variables, or an authority on a volume, that pods of the pool have, the
    Job has too."""
    variable = {"name": "SSL_CERT_FILE", "value": "/trust/ca.crt"}
    token = {"secretRef": {"name": "hub"}}
    volume = {"name": "trust", "configMap": {"name": "authorities"}}
    mount = {"name": "trust", "mountPath": "/trust"}
    values = {
        "extraEnv": [variable],
        "extraEnvFrom": [token],
        "extraVolumes": [volume],
        "extraVolumeMounts": [mount],
    }
    job = only(render(merged(PLAIN, {"videogen": values}), ("gpu",)), "Job")["spec"]["template"]
    (fetching,) = job["spec"]["initContainers"]
    assert variable in fetching["env"]
    assert fetching["envFrom"] == [token]
    assert mount in fetching["volumeMounts"]
    assert volume in job["spec"]["volumes"]


def test_other_weights_are_another_job() -> None:
    """A Job cannot be changed: what it does is in its name. Pods wait for other weights anew, and
    not for the same ones fetched by another image."""

    def job(revision: str, tag: str = "") -> tuple[str, str]:
        values = {"videogen": {"pools": {"default": {"revision": revision}}}, "image": {"tag": tag}}
        found = only(render(merged(PLAIN, values), ("gpu",)), "Job")
        command = found["spec"]["template"]["spec"]["containers"][0]["command"]
        return found["metadata"]["name"], command[-1]

    assert job("abc") == job("abc")
    assert not {*job("abc")} & {*job("def")}
    (name, mark), (newer_name, newer_mark) = job("abc"), job("abc", "2")
    assert name != newer_name
    assert mark == newer_mark


def test_model_caches_are_claims_made_or_given() -> None:
    """A component's models are on a volume of its own, or on the claim that is named."""
    values = {
        "analyzer": {"modelCache": {"enabled": True, "size": "5Gi", "storageClass": "fast"}},
        "videogen": {"modelCache": {"enabled": True, "existingClaim": "weights"}},
    }
    manifests = with_values(values)
    claim = only(manifests, "PersistentVolumeClaim")
    assert claim["metadata"]["name"] == "s-soundsight-analyzer-models"
    assert claim["spec"]["storageClassName"] == "fast"
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"
    volumes = {one["name"]: one for one in pod(manifests, "videogen-default").spec["volumes"]}
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == "weights"
    assert plain_environment(manifests, "analyzer")["SOUNDSIGHT_ANALYZER_MODELS_DIR"] == "/models"


def test_language_models_are_served_and_told_of() -> None:
    """vLLM serves both models; scene writer and analyzer are told where, and by what name."""
    values = {
        "vllm": {
            "script": {"enabled": True, "model": "o/writer", "args": ["--max-model-len=8192"]},
            "concept": {"enabled": True, "model": "o/ears"},
        }
    }
    manifests = with_values(values)
    one = container(manifests, "vllm-script")
    assert one["command"] == ["vllm", "serve"]
    assert one["args"] == ["o/writer", "--host=0.0.0.0", "--port=8000", "--max-model-len=8192"]
    assert one["readinessProbe"]["httpGet"] == {"path": "/health", "port": "http"}
    told = plain_environment(manifests, "scenewriter")
    assert told["SOUNDSIGHT_SCENEWRITER_LLM_URL"] == "http://s-soundsight-vllm-script:8000/v1"
    assert told["SOUNDSIGHT_SCENEWRITER_LLM_MODEL"] == "o/writer"
    told = plain_environment(manifests, "analyzer")
    assert told["SOUNDSIGHT_ANALYZER_CONCEPT_URL"] == "http://s-soundsight-vllm-concept:8000/v1"
    assert told["SOUNDSIGHT_ANALYZER_CONCEPT_MODEL"] == "o/ears"


def test_a_language_model_may_be_elsewhere() -> None:
    """An endpoint elsewhere is told of, with its key from a secret; nothing is served here."""
    script = {"externalUrl": "https://llm.org/v1", "model": "m", "apiKey": {"existingSecret": "k"}}
    manifests = with_values({"vllm": {"script": script}})
    assert not [one for one in pods(manifests) if one.component.startswith("vllm")]
    variables = {one["name"]: one for one in container(manifests, "scenewriter")["env"]}
    assert variables["SOUNDSIGHT_SCENEWRITER_LLM_URL"]["value"] == "https://llm.org/v1"
    key = variables["SOUNDSIGHT_SCENEWRITER_LLM_API_KEY"]["valueFrom"]["secretKeyRef"]
    assert key == {"name": "k", "key": "api-key"}


def test_sqlite_has_a_volume() -> None:
    """On SQLite the gateway's renders are on a volume that outlives the pod."""
    manifests = with_values({"database": {"kind": "sqlite"}})
    url = plain_environment(manifests, "gateway")["SOUNDSIGHT_GATEWAY_DATABASE_URL"]
    mounts = {
        one["name"]: one["mountPath"] for one in container(manifests, "gateway")["volumeMounts"]
    }
    assert url.startswith(f"sqlite:///{mounts['state']}/")
    (claim,) = only(manifests, "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "state"


def test_files_may_lie_on_a_shared_volume() -> None:
    """Every service that reads files mounts the same claim, where the URL says."""
    manifests = with_values({"artifacts": {"kind": "volume"}})
    for component in ("gateway", "analyzer", "composer", "videogen-default"):
        url = plain_environment(manifests, component)["SOUNDSIGHT_ARTIFACTS_URL"]
        mounts = {
            one["name"]: one["mountPath"] for one in container(manifests, component)["volumeMounts"]
        }
        assert url == f"file://{mounts['artifacts']}"
    assert only(manifests, "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteMany"]
    assert "artifacts" not in str(pod(manifests, "scenewriter").spec)


def test_tests_ask_every_service_and_render_a_song() -> None:
    """`helm test` asks each service that must be there, then renders; a pool that may have no pod
    is left to the render."""
    asked = pod(render(TRIAL, ("cpu",)), "test").spec["initContainers"][0]["command"]
    names = [word.partition("=")[0] for word in asked if "=" in word]
    assert names == ["gateway", "analyzer", "scenewriter", "composer", "videogen-default"]
    manifests = render_profile("gpu")
    test = pod(manifests, "test")
    assert test.manifest["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert "videogen-default" not in str(test.spec["initContainers"][0]["command"])
    (rendering,) = test.spec["containers"]
    assert rendering["command"][:3] == [
        "soundsight",
        "--gateway=s-soundsight-gateway:7000",
        "render",
    ]
    assert not [
        one for one in pods(with_values({"tests": {"enabled": False}})) if "test" in one.component
    ]


def notes(values: Values) -> str:
    """What is printed after an installation."""
    asked = json.dumps(merged(PLAIN, values))
    told = ask_helm("install", "s", CHART, "--dry-run=client", values=asked)
    return told.partition("NOTES:")[2]


def test_notes_say_how_to_reach_it_and_what_to_mind() -> None:
    """After an installation one reads where the gateway answers, that it asks for no key, and what
    is for trials; with certificates of callers and stores of one's own, neither is said."""
    told = notes(merged(TRIAL, {"database": {"kind": "bundled"}}))
    assert "s-soundsight-gateway.media:7000" in told
    assert "port-forward service/s-soundsight-gateway 7000:7000" in told
    assert "helm test --namespace media s" in told
    assert "asks callers for no key" in told
    assert "for trials" in told
    told = notes({"tls": {"enabled": True, "certManager": {"enabled": True}}})
    assert "asks callers for no key" not in told
    assert "for trials" not in told
    told = notes({"grpcIngress": {"enabled": True, "hosts": ["render.org"]}})
    assert "From outside it answers at\n\n  render.org (gRPC)\n" in told


def test_notes_say_how_to_call_it_over_http() -> None:
    """A line of curl follows the forwarding of its port; over TLS it has the files that it needs,
    and where there is no HTTP nothing is said of it."""
    told = notes({})
    assert "port-forward service/s-soundsight-gateway 7000:7000 8080:8080\n" in told
    assert "curl http://127.0.0.1:8080/v1/projects/default/renders\n" in told
    told = notes({"tls": {"enabled": True, "certManager": {"enabled": True}}})
    assert "https://s-soundsight-gateway.media:8080/v1 (HTTP/JSON)" in told
    assert "curl --cacert ca.crt --cert tls.crt --key tls.key" in told
    assert "are in the secret s-soundsight-client-tls" in told
    told = notes({"gateway": {"http": {"enabled": False}}})
    assert "port-forward service/s-soundsight-gateway 7000:7000\n" in told
    assert "http" not in told.lower()
