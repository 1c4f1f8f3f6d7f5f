"""What the chart tells the services is what they understand: their own settings classes read it."""

from __future__ import annotations

import importlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from chart.rendering import (
    PLAIN,
    PROFILES,
    Manifest,
    container,
    merged,
    plain_environment,
    pods,
    render,
    render_profile,
)
from chart.switches import COMBINATIONS, combinations, values_of
from pydantic_settings import BaseSettings

from generate_settings_page import settings_classes
from soundsight_gateway.discovery.targets import KubernetesTarget, parse_target
from soundsight_gateway.settings import GatewaySettings
from soundsight_kit.settings import KitSettings, environment_name
from soundsight_videogen.diffusion.cards import ModelCard
from soundsight_videogen.diffusion.families import family_of
from soundsight_videogen.diffusion.models import ModelFolder

SERVICES = ("gateway", "analyzer", "scenewriter", "composer", "videogen")
FROM_ELSEWHERE: Mapping[str, str] = {
    "SOUNDSIGHT_GATEWAY_EXECUTOR_ID": "s-soundsight-gateway-0",
    "SOUNDSIGHT_GATEWAY_DATABASE_URL": "postgresql://soundsight:x@s-soundsight-postgres/soundsight",
    "SOUNDSIGHT_SCENEWRITER_LLM_API_KEY": "key",
    "SOUNDSIGHT_ANALYZER_CONCEPT_API_KEY": "key",
}
"""What variables from secrets and from the pod are at run time."""


def classes_of(service: str) -> list[type[BaseSettings]]:
    """The settings classes that a service reads, the kit's among them."""
    return [KitSettings, *settings_classes(f"soundsight_{service}.settings")]


def service_containers(manifests: list[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The containers that run services, each with the service's name."""
    for pod in pods(manifests):
        for one in pod.spec["containers"]:
            if one["name"] in SERVICES:
                yield one["name"], one


def renderings() -> Iterator[list[Manifest]]:
    """The profiles, and every combination of switches."""
    for profile in PROFILES:
        yield render_profile(profile)
    for number in range(COMBINATIONS):
        yield render(values_of(combinations()[number]))


def test_every_variable_exists_in_the_code() -> None:
    """Each SOUNDSIGHT_ variable of each container is one that its service reads, told once."""
    seen = set()
    for manifests in renderings():
        for service, one in service_containers(manifests):
            known = {environment_name(c, f) for c in classes_of(service) for f in c.model_fields}
            names = [each["name"] for each in one["env"]]
            assert len(set(names)) == len(names)
            own = {name for name in names if name.startswith("SOUNDSIGHT_")}
            assert own <= known, own - known
            seen.add(service)
    assert seen == {*SERVICES}


def test_services_take_what_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings classes accept every container's variables: values, not only names."""
    with tempfile.NamedTemporaryFile() as certificate:
        for manifests in renderings():
            for service, one in service_containers(manifests):
                with monkeypatch.context() as patch:
                    for variable in one["env"]:
                        name = variable["name"]
                        value = variable.get("value", FROM_ELSEWHERE.get(name, "secret"))
                        if name.startswith("SOUNDSIGHT_TLS_"):
                            assert value.startswith("/etc/soundsight/tls/")
                            value = certificate.name
                        patch.setenv(name, value)
                    for cls in classes_of(service):
                        cls()


def test_pools_are_found_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's targets are the Services of the pools, by the port that endpoints have."""
    manifests = render_profile("gpu")
    settings = gateway_settings(manifests, monkeypatch)
    (target,) = settings.pools["default"].endpoints
    assert parse_target(target) == KubernetesTarget(
        "s-soundsight-videogen-default", "media", "grpc"
    )
    service = next(
        one
        for one in manifests
        if (one["kind"], one["metadata"]["name"]) == ("Service", "s-soundsight-videogen-default")
    )
    assert service["spec"]["clusterIP"] == "None"
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]}["grpc"] == 7003
    served = container(manifests, "videogen-default")["ports"]
    assert {"name": "grpc", "containerPort": 7003} in served


def test_dns_finds_pools_without_the_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `discovery: dns` pools are looked up by name, and the gateway gets no rights at all."""
    manifests = render(merged(PLAIN, {"gateway": {"discovery": "dns"}}))
    settings = gateway_settings(manifests, monkeypatch)
    assert settings.pools["default"].endpoints == ("dns:///s-soundsight-videogen-default:7003",)
    assert not [one for one in manifests if one["kind"] in ("Role", "RoleBinding")]
    (gateway,) = [one for one in pods(manifests) if one.component == "gateway"]
    assert gateway.spec["automountServiceAccountToken"] is False
    assert "SOUNDSIGHT_GATEWAY_POD_DELETION_COST" not in plain_environment(manifests, "gateway")


def gateway_settings(manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch) -> GatewaySettings:
    """What the gateway makes of its variables."""
    for name, value in plain_environment(manifests, "gateway").items():
        monkeypatch.setenv(name, value)
    return GatewaySettings()


def test_large_numbers_stay_whole() -> None:
    """A setting with ten digits is not written with an exponent."""
    values = {"gateway": {"settings": {"SOUNDSIGHT_GATEWAY_MAX_SONG_BYTES": 2147483648}}}
    found = plain_environment(render(merged(PLAIN, values)), "gateway")
    assert found["SOUNDSIGHT_GATEWAY_MAX_SONG_BYTES"] == "2147483648"


def test_the_longest_clip_of_the_code_fits_the_drain() -> None:
    """A pool of videogen drains for as long as the gateway gives a clip by default."""
    longest_s = GatewaySettings.model_fields["filming_timeout_s"].default
    drain_s = float(plain_environment(render(), "videogen-default")["SOUNDSIGHT_DRAIN_GRACE_S"])
    assert drain_s >= longest_s
    composing_s = GatewaySettings.model_fields["composing_timeout_s"].default
    drain_s = float(plain_environment(render(), "composer")["SOUNDSIGHT_DRAIN_GRACE_S"])
    assert drain_s >= composing_s


def test_the_profile_of_the_gpu_pool_is_the_models() -> None:
    """The profile that values-gpu.yaml declares is what the code says of that model."""
    model = ModelFolder(
        name="Wan-AI/Wan2.2-TI2V-5B-Diffusers",
        path=Path("unread"),
        index={"_class_name": "WanPipeline", "expand_timesteps": True},
        configs={"transformer": {"num_layers": 30}},
        weights=(),
        revision="",
    )
    family = family_of(model)
    manifests = render_profile("gpu")
    assert plain_environment(manifests, "videogen-default")["SOUNDSIGHT_VIDEOGEN_MODELS"] == (
        model.name
    )
    pools = json.loads(plain_environment(manifests, "gateway")["SOUNDSIGHT_GATEWAY_VIDEO_POOLS"])
    declared = GatewaySettings(video_pools=pools).pools["default"].declared_profile
    assert declared == ModelCard(model, family, family.traits(model)).profile


def test_scaler_metadata_is_what_the_scaler_reads() -> None:
    """KEDA hands the gateway a trigger that the gateway understands: pool and clips per replica."""
    trigger_module = importlib.import_module("soundsight_gateway.scaling.trigger")
    keda = importlib.import_module("soundsight.keda.externalscaler_pb2")
    (scaled,) = [one for one in render_profile("gpu") if one["kind"] == "ScaledObject"]
    (trigger,) = scaled["spec"]["triggers"]
    asked = keda.ScaledObjectRef(name="s", scalerMetadata=trigger["metadata"])
    understood = trigger_module.Trigger.of(asked, {"default"})
    assert (understood.pool, understood.clips_per_replica) == ("default", 2.0)
    assert trigger["metadata"]["scalerAddress"] == "s-soundsight-gateway.media.svc:7000"
