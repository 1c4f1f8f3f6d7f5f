"""Pods keep to the `restricted` Pod Security Standard and to the least rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from chart.rendering import (
    PLAIN,
    PROFILES,
    TRIAL,
    Manifest,
    PodOf,
    container,
    merged,
    of_kind,
    only,
    pod,
    pods,
    render,
    render_profile,
)
from chart.switches import COMBINATIONS, combinations, values_of

SERVICES = ("gateway", "analyzer", "scenewriter", "composer", "videogen-default")

ALLOWED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def violations(one: PodOf) -> Iterator[str]:
    """What the standard's version for Kubernetes 1.31 forbids, and is there; and what the house
    asks for beyond it: a read-only root file system."""
    spec = one.spec
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield field
    for volume in spec.get("volumes", ()):
        if not {*volume} - {"name"} <= ALLOWED_VOLUMES:
            yield f"volume {volume}"
    whole = spec.get("securityContext", {})
    if whole.get("sysctls"):
        yield "sysctls"
    for each in one.containers:
        own = each.get("securityContext", {})
        both = {**whole, **own}
        if both.get("runAsNonRoot") is not True:
            yield f"{each['name']}: may run as root"
        if both.get("runAsUser") == 0:
            yield f"{each['name']}: runs as root"
        if both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            yield f"{each['name']}: seccomp"
        if own.get("privileged") or own.get("procMount", "Default") != "Default":
            yield f"{each['name']}: privileged"
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{each['name']}: may escalate"
        capabilities = own.get("capabilities", {})
        if "ALL" not in capabilities.get("drop", ()):
            yield f"{each['name']}: keeps capabilities"
        if not {*capabilities.get("add", ())} <= {"NET_BIND_SERVICE"}:
            yield f"{each['name']}: adds capabilities"
        if any(port.get("hostPort") for port in each.get("ports", ())):
            yield f"{each['name']}: host port"
        if own.get("readOnlyRootFilesystem") is not True:
            yield f"{each['name']}: writes to its root file system"


@pytest.mark.parametrize("number", range(COMBINATIONS))
def test_every_pod_is_restricted(number: int) -> None:
    """However switches are set, no pod does what the restricted standard forbids."""
    found = list(pods(render(values_of(combinations()[number]))))
    assert found
    assert [(one.component, fault) for one in found for fault in violations(one)] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_every_pod_of_a_profile_is_restricted(profile: str) -> None:
    """The profiles are restricted too, the bundled Postgres and S3 among them."""
    found = list(pods(render_profile(profile)))
    assert [(one.component, fault) for one in found for fault in violations(one)] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_the_cluster_may_number_the_users(profile: str) -> None:
    """Where it does, as OpenShift does, a pod that asks for a number of its own is refused; the
    standard is kept without one."""
    files, values = PROFILES[profile]
    found = list(pods(render(merged(values, {"podSecurity": {"fixedUser": False}}), files)))
    for one in found:
        contexts = [one.spec["securityContext"], *(c["securityContext"] for c in one.containers)]
        assert all(
            not {"runAsUser", "runAsGroup", "fsGroup"} & context.keys() for context in contexts
        ), one.component
    assert [(one.component, fault) for one in found for fault in violations(one)] == []


def test_only_the_gateway_may_ask_the_api_server() -> None:
    """The gateway has a token; every other pod has none, nor variables of other Services."""
    for profile in PROFILES:
        for one in pods(render_profile(profile)):
            assert one.spec["automountServiceAccountToken"] is (one.component == "gateway")
            assert one.spec["enableServiceLinks"] is False


def test_the_gateway_has_the_least_rights() -> None:
    """It reads EndpointSlices, and with deletion costs patches pods: nothing else, and only in its
    own namespace."""
    manifests = render()
    rules = only(manifests, "Role")["rules"]
    assert rules == [
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": ["list", "watch"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]},
    ]
    (subject,) = only(manifests, "RoleBinding")["subjects"]
    assert subject["name"] == pod(manifests, "gateway").spec["serviceAccountName"]
    without = render(merged(PLAIN, {"gateway": {"podDeletionCost": False}}))
    assert [rule["resources"] for rule in only(without, "Role")["rules"]] == [["endpointslices"]]
    assert not of_kind(manifests, "ClusterRole") + of_kind(manifests, "ClusterRoleBinding")


def test_every_pod_has_an_account_of_its_own() -> None:
    """A right given to one component, such as a cloud's role, is no other's."""
    values = {"videogen": {"serviceAccount": {"annotations": {"cloud/role": "films"}}}}
    manifests = render(merged(PLAIN, values))
    accounts = [
        one.spec["serviceAccountName"] for one in pods(manifests) if one.component != "test"
    ]
    assert len(accounts) == len(set(accounts)) == 5
    annotated = [
        one["metadata"]["name"]
        for one in of_kind(manifests, "ServiceAccount")
        if one["metadata"].get("annotations")
    ]
    assert annotated == ["s-soundsight-videogen-default"]
    given = render(
        merged(PLAIN, {"analyzer": {"serviceAccount": {"create": False, "name": "own"}}})
    )
    assert pod(given, "analyzer").spec["serviceAccountName"] == "own"
    names = [one["metadata"]["name"] for one in of_kind(given, "ServiceAccount")]
    assert "own" not in names
    assert len(names) == 4


def test_secrets_stand_in_no_pod() -> None:
    """Passwords and keys come from Secrets: none is spelled out in a pod or a ConfigMap."""
    values = {
        "database": {"kind": "bundled", "bundled": {"password": "hush-hush-1"}},
        "artifacts": {"kind": "bundled", "bundled": {"secretKey": "hush-hush-2"}},
    }
    for manifest in render(values):
        assert ("hush-hush" in yaml.safe_dump(manifest)) is (manifest["kind"] == "Secret")


def test_files_go_to_those_who_read_them() -> None:
    """The scene writer gets no key of the object store, which it never asks."""
    manifests = render(merged(PLAIN, {"artifacts": {"s3": {"existingSecret": "keys"}}}))
    holders = {
        one.component
        for one in pods(manifests)
        if any(
            variable["name"] == "AWS_SECRET_ACCESS_KEY"
            for each in one.containers
            for variable in each.get("env", ())
        )
    }
    assert holders == {"gateway", "analyzer", "composer", "videogen-default"}


def certificates(manifests: list[Manifest]) -> dict[str, list[str]]:
    """The names in each certificate, by the secret that it is put into."""
    return {
        one["spec"]["secretName"]: one["spec"].get("dnsNames", [])
        for one in of_kind(manifests, "Certificate")
    }


def test_with_tls_everyone_proves_itself() -> None:
    """Each service serves and calls with a certificate that names it, asks callers for theirs, and
    is asked for its health by a probe that speaks TLS."""
    manifests = render_profile("production")
    issued = certificates(manifests)
    for component in SERVICES:
        one = container(manifests, component)
        told = {each["name"]: each.get("value", "") for each in one["env"]}
        for name in ("CERTIFICATE", "KEY", "CLIENT_CA", "SERVER_CA"):
            assert told[f"SOUNDSIGHT_TLS_{name}"].startswith("/etc/soundsight/tls/")
        probe = one["readinessProbe"]
        assert probe["exec"]["command"][:3] == ["python", "-m", "soundsight_kit.probe"]
        # The answer may take as long as over plain text, and the program's start some seconds more.
        assert probe["exec"]["command"][3:] == ["--timeout=5"]
        assert probe["timeoutSeconds"] == 10
        volumes = {each["name"]: each for each in pod(manifests, component).spec["volumes"]}
        names = issued[volumes["tls"]["secret"]["secretName"]]
        # By the first a Service is called, by the second the pods behind an EndpointSlice.
        assert f"s-soundsight-{component}" in names
        assert f"s-soundsight-{component}.media.svc" in names
    named = render(merged({"tls": {"gatewayNames": ["r.org"]}}), ("gpu", "production"))
    assert "r.org" in certificates(named)["s-soundsight-gateway-tls"]


def test_renewed_certificates_reach_a_running_service() -> None:
    """The kubelet renews a folder that is mounted whole; a single file (`subPath`) it leaves."""
    manifests = render_profile("production")
    for component in SERVICES:
        mounts = [
            one for one in container(manifests, component)["volumeMounts"] if one["name"] == "tls"
        ]
        assert mounts == [{"name": "tls", "mountPath": "/etc/soundsight/tls", "readOnly": True}]


def test_the_authority_keeps_its_key() -> None:
    """What the authority signed before it was renewed is trusted after it, and the other way round:
    services are not all restarted at once."""
    (authority,) = (
        one
        for one in of_kind(render_profile("production"), "Certificate")
        if one["spec"].get("isCA")
    )
    assert authority["spec"]["privateKey"]["rotationPolicy"] == "Never"


def test_keda_and_tests_prove_themselves_as_clients() -> None:
    """KEDA's trigger and `helm test` use the client's certificate, which the chart has issued."""
    manifests = render_profile("production")
    (trigger,) = only(manifests, "ScaledObject")["spec"]["triggers"]
    authentication = only(manifests, "TriggerAuthentication")
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    host = trigger["metadata"]["scalerAddress"].partition(":")[0]
    assert host in certificates(manifests)["s-soundsight-gateway-tls"]
    given = {one["parameter"]: one["key"] for one in authentication["spec"]["secretTargetRef"]}
    assert given == {"caCert": "ca.crt", "tlsClientCert": "tls.crt", "tlsClientKey": "tls.key"}
    secrets = {one["name"] for one in authentication["spec"]["secretTargetRef"]}
    secrets |= {
        volume["secret"]["secretName"]
        for volume in pod(manifests, "test").spec["volumes"]
        if "secret" in volume
    }
    assert secrets == {"s-soundsight-client-tls"}
    assert "s-soundsight-client-tls" in certificates(manifests)


def test_given_certificates_are_used() -> None:
    """With secrets of one's own no certificate is asked for."""
    names = ("gateway", "analyzer", "scenewriter", "composer", "videogen", "client")
    values = {"tls": {"enabled": True, "existingSecrets": {name: f"own-{name}" for name in names}}}
    manifests = render(merged(PLAIN, values))
    assert not of_kind(manifests, "Certificate")
    for component in ("gateway", "videogen-default", "test"):
        (secret,) = [
            volume["secret"]["secretName"]
            for volume in pod(manifests, component).spec["volumes"]
            if "secret" in volume
        ]
        service = {"test": "client"}.get(component, component.partition("-")[0])
        assert secret == f"own-{service}"


def test_passwords_are_made_up_once() -> None:
    """A bundled server's password is long, random, and kept when the release goes."""
    manifests = render({"database": {"kind": "bundled"}, "artifacts": {"kind": "bundled"}})
    database, store = of_kind(manifests, "Secret")
    if "url" not in database["stringData"]:
        database, store = store, database
    assert re.fullmatch(r"[A-Za-z0-9]{32}", database["stringData"]["password"])
    assert re.fullmatch(r"[A-Za-z0-9]{32}", store["stringData"]["AWS_SECRET_ACCESS_KEY"])
    for one in (database, store):
        assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    password: Any = database["stringData"]["password"]
    assert f":{password}@s-soundsight-postgres:5432/" in database["stringData"]["url"]


def test_a_given_password_is_taken_as_it_is() -> None:
    """Signs that mean something in a URL are escaped there, and nowhere else."""
    values = {"kind": "bundled", "bundled": {"password": "a/b@c: d"}}
    (secret,) = of_kind(render(merged(PLAIN, TRIAL, {"database": values})), "Secret")
    assert secret["stringData"]["password"] == "a/b@c: d"
    assert "soundsight:a%2Fb%40c%3A%20d@" in secret["stringData"]["url"]
