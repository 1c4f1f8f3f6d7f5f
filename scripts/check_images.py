"""Builds the images without a container engine and has them make a film: `make test-images`.

    check_images.py SONG [OPTION...]    # --help lists them

Needs root, buildah and debootstrap; no daemon, no registry of images. The base is made of Debian's
packages. Every image that needs no GPU is built; then each runs as user 10001, or the one that is
named, on a root file system that nobody can write to, and the command line of one has the others
film four seconds of a song.
What it shows is printed as a table; the film lies in out/images.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import av

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "deploy" / "images"
OUT = ROOT / "out" / "images"
SERVICES = ("analyzer", "scenewriter", "videogen", "composer", "gateway")
"""In the order in which they are started."""
USER = "10001:10001"
STATE = "/var/lib/soundsight"
FIRST_PORT = 17_000
HTTP = f"127.0.0.1:{FIRST_PORT + 200}"
"""Where the gateway serves HTTP."""
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 40.0
EXCERPT = ("--from", "0:08", "--to", "0:12", "--quality", "draft")
EXCERPT_S = 4.0

# Run by a shell of this machine, which the program replaces: ROOT FOLDER PLACE PROGRAM...
ENTER = """
set -e
root="$1"
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount --bind "$2" "$root$3"
mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
shift 3
exec "$@"
"""


def stop(words: str) -> None:
    sys.exit(f"check_images: {words}")


@dataclass(frozen=True)
class Container:
    """An image, laid out in a folder, with what it says of itself."""

    image: str
    root: Path
    environment: dict[str, str]
    entrypoint: tuple[str, ...]
    user: str
    """As the image has it."""
    runs_as: str
    """UID:GID that it runs as here."""
    size_bytes: int
    licences: str

    def command(
        self,
        state: Path,
        *words: str,
        entrypoint: Sequence[str] | None = None,
        environment: dict[str, str] | None = None,
    ) -> list[str]:
        """The command that runs the image's program, or another one, with these words.

        Args:
            state: the folder that it sees as /var/lib/soundsight.
            words: the program's arguments.
            entrypoint: another program.
            environment: variables beside the image's own.
        """
        variables = {**self.environment, **(environment or {})}
        return [
            *("unshare", "--mount", "sh", "-c", ENTER, "enter", str(self.root), str(state), STATE),
            *("env", "-i", *(f"{name}={value}" for name, value in variables.items())),
            *("/usr/sbin/chroot", f"--userspec={self.runs_as}", "--groups=", str(self.root)),
            *(self.entrypoint if entrypoint is None else entrypoint),
            *words,
        ]


@dataclass
class Workshop:
    """Where images are built and laid out; buildah's store is in a folder of its own."""

    folder: Path
    suite: str
    runs_as: str
    build_s: dict[str, float] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """What makes buildah work in the folder, without a daemon and without namespaces."""
        return {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
            "TMPDIR": str(self.folder / "tmp"),
            "ENGINE": "buildah",
            "REGISTRY": "localhost",
            "TAG": "check",
            "BASE": "localhost/soundsight-base",
        }

    def prepare(self) -> None:
        """Makes the folder, and the base where it does not have one yet."""
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        driver = "overlay" if self.can_overlay() else "vfs"
        (self.folder / "storage.conf").write_text(
            f'[storage]\ndriver = "{driver}"\ngraphroot = "{self.folder}/graph"\n'
            f'runroot = "{self.folder}/run"\n'
        )
        if "localhost/soundsight-base" not in self.run("buildah", "images"):
            print("making the base", flush=True)
            self.run(str(IMAGES / "make_base.sh"), "localhost/soundsight-base", self.suite)

    def can_overlay(self) -> bool:
        """Whether folders can be laid over each other here; otherwise each layer is a whole copy,
        which takes three times the room and the time."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            for name in ("lower", "upper", "work", "merged"):
                (Path(folder) / name).mkdir()
            layers = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
            mount = ("mount", "-t", "overlay", "overlay", "-o", layers, f"{folder}/merged")
            tried = subprocess.run(["unshare", "--mount", *mount], capture_output=True)
        return tried.returncode == 0

    def run(self, *words: str) -> str:
        """Runs a command to its end, which must be a good one; returns what it printed."""
        done = subprocess.run(words, env=self.environment(), capture_output=True, text=True)
        if done.returncode != 0:
            stop(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def build(self, image: str) -> None:
        """Builds one image as `make images` does, and notes how long that takes."""
        print(f"building {image}", flush=True)
        started = time.monotonic()
        self.run(str(IMAGES / "build.sh"), image)
        self.build_s[image] = time.monotonic() - started

    def has(self, image: str) -> bool:
        """Whether the image was built before."""
        named = [
            name
            for one in json.loads(self.run("buildah", "images", "--json"))
            for name in one.get("names") or ()
        ]
        return reference_of(image) in named

    @contextmanager
    def laid_out(self, image: str) -> Iterator[Container]:
        """Lays an image out for as long as the block lasts."""
        reference = reference_of(image)
        (listed,) = json.loads(self.run("buildah", "images", "--json", reference))
        about = json.loads(self.run("buildah", "inspect", "--type", "image", reference))
        config = about["OCIv1"]["config"]
        container = self.run("buildah", "from", "--pull-never", reference).strip()
        try:
            yield Container(
                image=image,
                root=Path(self.run("buildah", "mount", container).strip()),
                environment=dict(entry.split("=", 1) for entry in config["Env"]),
                entrypoint=tuple(config["Entrypoint"]),
                user=config["User"],
                runs_as=self.runs_as,
                size_bytes=in_bytes(listed["size"]),
                licences=config["Labels"]["org.opencontainers.image.licenses"],
            )
        finally:
            self.run("buildah", "rm", container)


def reference_of(image: str) -> str:
    """The name that deploy/images/build.sh gives to an image."""
    part, dash, variant = image.partition("-")
    return f"localhost/soundsight-{part}:check{dash}{variant}"


def in_bytes(size: str) -> int:
    """A size as buildah prints it, such as `176 MB`."""
    number, unit = size.split()
    return round(float(number) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[unit])


def where_it_serves(container: Container, port: int) -> dict[str, str]:
    """A service's settings on this machine, where all of them share one network."""
    settings = {
        "SOUNDSIGHT_LISTEN": f"127.0.0.1:{port}",
        "SOUNDSIGHT_METRICS_LISTEN": f"127.0.0.1:{port + 100}",
    }
    if container.image == "gateway":
        at = {name: f"127.0.0.1:{FIRST_PORT + i}" for i, name in enumerate(SERVICES)}
        settings |= {
            "SOUNDSIGHT_GATEWAY_HTTP_LISTEN": HTTP,
            "SOUNDSIGHT_GATEWAY_ANALYZER": at["analyzer"],
            "SOUNDSIGHT_GATEWAY_SCENEWRITER": at["scenewriter"],
            "SOUNDSIGHT_GATEWAY_VIDEO_ENDPOINTS": at["videogen"],
            "SOUNDSIGHT_GATEWAY_COMPOSER": at["composer"],
        }
    return settings


@contextmanager
def serving(container: Container, state: Path, port: int) -> Iterator[float]:
    """Runs a service until the block ends; yields the seconds until its probe was content.

    It must end by itself when it is told to.
    """
    settings = where_it_serves(container, port)
    probe = container.command(
        state, entrypoint=("python", "-m", "soundsight_kit.probe"), environment=settings
    )
    started = time.monotonic()
    log = OUT / f"{container.image}.log"
    with (
        log.open("wb") as written,
        subprocess.Popen(
            container.command(state, environment=settings), stdout=written, stderr=written
        ) as process,
    ):
        try:
            while subprocess.run(probe, capture_output=True).returncode != 0:
                if process.poll() is not None or time.monotonic() - started > START_TIMEOUT_S:
                    stop(f"{container.image} does not serve; see {log}")
                time.sleep(0.2)
            yield time.monotonic() - started
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
    if process.returncode != 0:
        stop(f"{container.image} ended with {process.returncode}; see {log}")


def look_at(container: Container, state: Path) -> None:
    """Checks what can be seen of an image without running its service."""
    if container.user != USER:
        stop(f"{container.image} runs as {container.user or 'root'}")
    bill = json.loads((container.root / "opt" / "soundsight" / "sbom.cdx.json").read_text())
    if bill["bomFormat"] != "CycloneDX" or len(bill["components"]) < 10:
        stop(f"{container.image}: no bill of materials")
    write = "open('/opt/soundsight/x', 'w')"
    refused = subprocess.run(
        container.command(state, "-c", write, entrypoint=("python",)),
        capture_output=True,
        text=True,
    )
    if "Read-only file system" not in refused.stderr:
        stop(f"{container.image}: the root file system is not read-only: {refused.stderr}")
    helped = subprocess.run(container.command(state, "--help"), capture_output=True, text=True)
    if helped.returncode != 0:
        stop(f"{container.image} --help: {helped.stderr}")


def film(cli: Container, work: Path, song: Path) -> Path:
    """Has the suite film an excerpt of the song; returns the video."""
    shutil.copy(song, work / song.name)
    done = subprocess.run(
        cli.command(
            work,
            *("--gateway", f"127.0.0.1:{FIRST_PORT + len(SERVICES) - 1}"),
            *("render", f"{STATE}/{song.name}", "-o", f"{STATE}/film.mp4", *EXCERPT),
        ),
        capture_output=True,
        text=True,
    )
    print(done.stdout, flush=True)
    if done.returncode != 0:
        stop(f"the render failed: {done.stderr}\nthe services' logs are in {OUT}")
    video = OUT / "film.mp4"
    shutil.move(work / "film.mp4", video)
    with av.open(str(video)) as opened:
        frames = sum(1 for _ in opened.decode(video=0))
        rate = opened.streams.video[0].average_rate
    if rate is None or frames != round(EXCERPT_S * rate):
        stop(f"{video} has {frames} frames at {rate}")
    return video


def fetch_over_http(video: Path) -> None:
    """Checks that the gateway gives the film out over HTTP too."""
    url = f"http://{HTTP}/v1"
    with urlopen(f"{url}/projects/default/renders?pageSize=1") as answer:  # noqa: S310 - HTTP
        name = json.load(answer)["renders"][0]["name"]
    with urlopen(f"{url}/{name}/outputs/video") as answer:  # noqa: S310 - HTTP
        if answer.read() != video.read_bytes():
            stop(f"{url}/{name}/outputs/video is not {video}")


def owned_folder(path: Path, user: str) -> Path:
    """An empty folder that belongs to the containers' user, as a new volume does."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    os.chown(path, *map(int, user.split(":")))
    return path


def check(workshop: Workshop, song: Path, *, reuse: bool) -> None:
    """Builds, looks, films, and prints the table."""
    OUT.mkdir(parents=True, exist_ok=True)
    workshop.prepare()
    images = (*SERVICES, "cli")
    for image in (*images, "analyzer-reduced"):
        if not (reuse and workshop.has(image)):
            workshop.build(image)
    state = owned_folder(workshop.folder / "state", workshop.runs_as)
    work = owned_folder(workshop.folder / "work", workshop.runs_as)
    rows = []
    with ExitStack() as stack:
        containers = [
            stack.enter_context(workshop.laid_out(image)) for image in (*images, "analyzer-reduced")
        ]
        for container in containers:
            look_at(container, state)
        started = {
            container.image: stack.enter_context(serving(container, state, FIRST_PORT + i))
            for i, container in enumerate(containers[: len(SERVICES)])
        }
        video = film(containers[len(SERVICES)], work, song)
        fetch_over_http(video)
        rows = [
            f"| {c.image} | {c.size_bytes / 1e6:.0f} | {workshop.build_s.get(c.image, 0):.0f} | "
            f"{format(started[c.image], '.1f') if c.image in started else ''} | {c.licences} |"
            for c in containers
        ]
    print("| image | MB | built in s | serves after s | licences |\n|---|---|---|---|---|")
    print("\n".join(rows))
    print(f"film: {video.relative_to(ROOT)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds the images and has them make a film.")
    parser.add_argument("song", type=Path)
    parser.add_argument("--suite", default="bookworm", help="Debian's release [%(default)s]")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "images")
    parser.add_argument(
        "--user", default=USER, metavar="UID:GID", help="who the containers run as [%(default)s]"
    )
    parser.add_argument("--keep", action="store_true", help="keep the images")
    parser.add_argument("--reuse", action="store_true", help="use images that were kept")
    asked = parser.parse_args()
    missing = [name for name in ("buildah", "debootstrap", "unshare") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        stop(f"needs root and {', '.join(missing) or 'nothing else'}: apt-get install it")
    workshop = Workshop(asked.folder.resolve(), asked.suite, asked.user)
    try:
        check(workshop, asked.song, reuse=asked.reuse)
    finally:
        if not asked.keep:
            shutil.rmtree(workshop.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
