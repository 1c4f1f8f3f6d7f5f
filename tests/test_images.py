"""The images and the compose file, as far as they can be judged without building anything."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from soundsight_kit.settings import KitSettings, settings_table

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "deploy" / "images"
COMPOSE = ROOT / "deploy" / "compose.yaml"
PORTS = {"gateway": 7000, "analyzer": 7001, "scenewriter": 7002, "videogen": 7003, "composer": 7004}
HTTP_PORT = 8080
"""Where the gateway serves HTTP/JSON."""
PARTS = (*PORTS, "cli")
FOLDERS = {
    "gateway": "gateway",
    "cli": "cli",
    **{name: f"services/{name}" for name in ("analyzer", "scenewriter", "videogen", "composer")},
}
PINS = re.compile(r"^([\w.-]+)==([^ ;\\]+)", re.MULTILINE)


def dockerfile(name: str) -> str:
    """The text of a Dockerfile, a line for each instruction."""
    return (IMAGES / f"{name}.Dockerfile").read_text().replace("\\\n", " ")


def instructions(name: str, instruction: str) -> list[str]:
    """What follows an instruction, everywhere in a Dockerfile."""
    return re.findall(rf"^{instruction} +(.+)$", dockerfile(name), re.MULTILINE)


def variables(text: str) -> dict[str, str]:
    """The variables of the suite that a Dockerfile's instructions set."""
    return dict(re.findall(r"\b(SOUNDSIGHT_\w+)=(\S+)", text))


def known_variables(part: str) -> set[str]:
    """Every variable that a part reads."""
    module = importlib.import_module(f"soundsight_{part}.settings")
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, BaseSettings)
        and value.__module__ == module.__name__
    ]
    return {row.variable for row in settings_table(KitSettings, *own)}


def pins(path: Path) -> dict[str, str]:
    """The versions that a lock file pins."""
    return dict(PINS.findall(path.read_text()))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file, its anchors resolved."""
    composed: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return composed


def test_every_part_that_runs_has_an_image() -> None:
    """There is one Dockerfile for each program of the suite, and one for vLLM."""
    found = {path.name.removesuffix(".Dockerfile") for path in IMAGES.glob("*.Dockerfile")}
    assert found == {*PARTS, "vllm"}


@pytest.mark.parametrize("name", [*PARTS, "vllm"])
def test_images_run_as_nobody_special(name: str) -> None:
    """The last user of an image is a numeric one without rights, as Kubernetes can check."""
    assert instructions(name, "USER") == ["10001:10001"]
    assert re.search(r"^USER .+\n(?!.*^(RUN|COPY) )", dockerfile(name), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", PARTS)
def test_images_start_the_program_of_their_part(name: str) -> None:
    """The entry point is the part's console script itself, with no shell between."""
    project = tomllib.loads((ROOT / FOLDERS[name] / "pyproject.toml").read_text())["project"]
    (entrypoint,) = instructions(name, "ENTRYPOINT")
    assert json.loads(entrypoint) == list(project["scripts"])


@pytest.mark.parametrize("name", PARTS)
def test_images_hold_the_parts_that_their_lock_was_made_for(name: str) -> None:
    """What is copied into an image is what its lock file was compiled from, extras aside."""
    copied = {words.split()[0] for words in instructions(name, "COPY")}
    parts = {source for source in copied if (ROOT / source / "pyproject.toml").is_file()}
    locked = re.findall(r"^-e \.\./\.\./\.\./([\w/]+)", lock_input(name), re.MULTILINE)
    assert parts == set(locked)


def lock_input(name: str) -> str:
    return (IMAGES / "locks" / f"{name}.in").read_text()


@pytest.mark.parametrize("name", PARTS)
def test_images_are_built_from_files_that_are_there(name: str) -> None:
    """Each file that a Dockerfile copies exists, and none of them is kept out of the build."""
    let_in = re.findall(r"^!(.+)$", read(".dockerignore"), re.MULTILINE)
    for words in instructions(name, "COPY"):
        *sources, _ = words.split()
        if sources[0].startswith("--from"):
            continue
        for path in (path for source in sources for path in ROOT.glob(source)):
            relative = path.relative_to(ROOT)
            above = (relative, *relative.parents[:-1])
            assert any(folder.match(entry) for folder in above for entry in let_in), path
        assert all(list(ROOT.glob(source)) for source in sources), words


@pytest.mark.parametrize(("name", "port"), PORTS.items())
def test_images_set_only_variables_that_their_service_reads(name: str, port: int) -> None:
    """The settings in an image exist, and say that it serves where the image says."""
    settings = variables(dockerfile(name))
    assert settings.keys() <= known_variables(name)
    assert settings["SOUNDSIGHT_LISTEN"] == f"0.0.0.0:{port}"
    assert settings["SOUNDSIGHT_METRICS_LISTEN"] == "0.0.0.0:9100"
    exposed = [port, 9100]
    if name == "gateway":
        assert settings["SOUNDSIGHT_GATEWAY_HTTP_LISTEN"] == f"0.0.0.0:{HTTP_PORT}"
        exposed = [port, HTTP_PORT, 9100]
    assert instructions(name, "EXPOSE") == [" ".join(map(str, exposed))]


def test_essentia_is_in_one_image_alone() -> None:
    """AGPL-3.0 is in no image but the analyzer's, whose label says so and which can go without."""
    holders = {
        path.stem
        for path in (IMAGES / "locks").glob("*.txt")
        if "essentia-tensorflow" in pins(path)
    }
    assert holders == {"analyzer-essentia"}
    named = {name for name in PARTS if "AGPL" in "".join(instructions(name, "LABEL"))}
    assert named == {"analyzer"}


@pytest.mark.parametrize("path", sorted((IMAGES / "locks").glob("*.txt")), ids=lambda p: p.stem)
def test_images_hold_the_versions_that_are_tested(path: Path) -> None:
    """What the suite pins as well, images hold in the very version."""
    tested = {**pins(ROOT / "locks" / "torch.txt"), **pins(ROOT / "locks" / "runtime.txt")}
    assert {
        name: version
        for name, version in pins(path).items()
        if tested.get(name, version) != version
    } == {}


def test_images_hold_the_torch_that_is_tested() -> None:
    """The version of torch is the one that `make setup-torch` takes."""
    (tested,) = re.findall(r"^TORCH=torch==(\S+)$", read("scripts/setup.sh"), re.MULTILINE)
    (held,) = re.findall(r"^TORCH_VERSION=(\S+)$", read("deploy/images/install.sh"), re.MULTILINE)
    assert held == tested


def read(path: str) -> str:
    return (ROOT / path).read_text()


def test_the_compose_file_is_one() -> None:
    """The compose file is what the Compose Specification's schema allows."""
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", str(COMPOSE)),
        ],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_compose_file_sets_only_variables_that_are_read(compose: dict[str, Any]) -> None:
    """Each variable of a service is among the settings of its part."""
    for name, service in compose["services"].items():
        given = service.get("environment", {}).keys()
        part = name.partition("-")[0]
        assert not given or given <= known_variables(part), name


def test_the_compose_file_uses_the_images_that_are_built(compose: dict[str, Any]) -> None:
    """Each image is named as `make images` names it, in the version of the suite."""
    version = tomllib.loads(read("cli/pyproject.toml"))["project"]["version"]
    assert f'TAG="${{TAG:-{version}}}"' in read("deploy/images/engine.sh")
    for name, service in compose["services"].items():
        image = service["image"]
        part = name.partition("-")[0]
        expected = f"${{REGISTRY:-localhost}}/soundsight-{part}:${{TAG:-{version}}}"
        assert image in (expected, f"{expected}-cpu", f"{expected}-cuda")


def test_containers_are_locked_down(compose: dict[str, Any]) -> None:
    """No container may write to its root or gain rights, and each has a probe."""
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["tmpfs"] == ["/tmp"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        expected = "python" if name.startswith("vllm") else "soundsight_kit.probe"
        assert expected in service["healthcheck"]["test"], name
        assert not service.get("privileged"), name


def test_only_the_gateway_can_be_reached_and_only_from_the_machine(
    compose: dict[str, Any],
) -> None:
    """The gateway's two ports are published, on the loopback address, and nobody else's; over HTTP
    it answers for that address and its name alone."""
    published = {
        name: service["ports"]
        for name, service in compose["services"].items()
        if "ports" in service
    }
    gateway = ["127.0.0.1:${PORT:-7000}:7000", "127.0.0.1:${HTTP_PORT:-8080}:8080"]
    assert published == {"gateway": gateway}
    hosts = compose["services"]["gateway"]["environment"]["SOUNDSIGHT_GATEWAY_HTTP_HOSTS"]
    assert hosts == "localhost,127.0.0.1"


def test_the_gateway_finds_the_services_where_they_serve(compose: dict[str, Any]) -> None:
    """The targets that the gateway is given are services of the file, at their images' ports."""
    environment = compose["services"]["gateway"]["environment"]
    targets = {
        name: value.removeprefix("${VIDEO_ENDPOINTS:-").rstrip("}")
        for name, value in environment.items()
        if name not in ("SOUNDSIGHT_SCRATCH_DIR", "SOUNDSIGHT_GATEWAY_HTTP_HOSTS")
    }
    assert sorted(targets.values()) == sorted(
        f"{name}:{port}" for name, port in PORTS.items() if name != "gateway"
    )


def test_services_outlast_their_drain(compose: dict[str, Any]) -> None:
    """A container gets longer to stop than its service takes to drain."""
    for name in PORTS:
        grace_s = int(compose["services"][name]["stop_grace_period"].removesuffix("s"))
        assert grace_s > KitSettings().drain_grace_s
