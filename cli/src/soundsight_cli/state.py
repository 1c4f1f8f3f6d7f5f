"""Where the suite keeps its things on one machine.

One state folder holds one suite: its job store, its artifacts, its logs and the
record of the running suite. Two state folders are two suites that know nothing
of each other.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from soundsight_cli.spec import BadOption

STORE_CAP_GB = 20
"""A state folder larger than this is worth a word."""


@dataclass(frozen=True)
class SuiteRecord:
    """What a command needs to know about the running suite."""

    targets: dict[str, str]
    """gRPC target of each service by its name, such as `unix:/tmp/soundsight-x/gateway.sock`."""
    pid: int
    """Process id of the supervisor."""
    stays: bool = False
    """Whether it runs until it is told to end, as `soundsight serve` does, rather than until no
    command uses it."""
    model: str = ""
    """The language model that writes; empty for none."""
    video_model: str = ""
    """The diffusion model that films; empty for the built-in renderer."""

    @property
    def gateway(self) -> str:
        """gRPC target of the gateway."""
        return self.targets["gateway"]


@dataclass(frozen=True)
class StateFolder:
    """The state folder and the places in it."""

    root: Path

    @property
    def artifacts(self) -> Path:
        """The object store: everything that renders read and write."""
        return self.root / "artifacts"

    @property
    def database(self) -> Path:
        """The job store."""
        return self.root / "jobs.sqlite"

    @property
    def logs(self) -> Path:
        """One log file per service, and one of the supervisor."""
        return self.root / "logs"

    @property
    def scratch(self) -> Path:
        """Files of work in progress, a folder per service; emptied when that starts."""
        return self.root / "scratch"

    @property
    def sockets(self) -> Path:
        """A link to the folder with the running suite's sockets."""
        return self.root / "sockets"

    @property
    def orders(self) -> Path:
        """Where the videos of unfinished renders are to go."""
        return self.root / "orders"

    @property
    def cleaned(self) -> Path:
        """Touched by `clean`: results of renders that had ended by then may be gone."""
        return self.root / "cleaned"

    @property
    def lease(self) -> Path:
        """Locked, shared, by every command that uses the suite."""
        return self.root / "lease.lock"

    @property
    def lock(self) -> Path:
        """Locked by the supervisor of the running suite."""
        return self.root / "suite.lock"

    @property
    def services_lock(self) -> Path:
        """Locked as long as any service of a suite lives, also without its supervisor."""
        return self.root / "services.lock"

    @property
    def record(self) -> Path:
        """The record of the running suite."""
        return self.root / "suite.json"

    def create(self) -> None:
        """Makes the folders, readable by their owner alone.

        Raises:
            OSError: when the folder cannot be made or written.
        """
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.artifacts, self.logs, self.scratch):
            folder.mkdir(exist_ok=True)

    def read_record(self) -> SuiteRecord | None:
        """Returns the record of the suite that was started last, if there is one."""
        try:
            return SuiteRecord(**json.loads(self.record.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write_record(self, record: SuiteRecord) -> None:
        """Makes a suite known to other commands, all at once."""
        fresh = self.record.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(record)))
        fresh.replace(self.record)

    def forget_record(self) -> None:
        """Makes no suite known."""
        self.record.unlink(missing_ok=True)


def default_state_folder() -> Path:
    """Returns `$SOUNDSIGHT_STATE_DIR`, or the folder that the XDG specification names."""
    chosen = os.environ.get("SOUNDSIGHT_STATE_DIR")
    return Path(chosen) if chosen else platformdirs.user_state_path("soundsight")


def store_cap_bytes() -> float:
    """Returns how large a state folder may become before a render says so.

    Raises:
        BadOption: when `$SOUNDSIGHT_STORE_CAP_GB` is no size.
    """
    text = os.environ.get("SOUNDSIGHT_STORE_CAP_GB", "").strip() or str(STORE_CAP_GB)
    try:
        cap_gb = float(text)
    except ValueError:
        cap_gb = -1.0
    if not cap_gb >= 0:
        raise BadOption(f"SOUNDSIGHT_STORE_CAP_GB takes a number of gigabytes; not {text!r}")
    return cap_gb * 1e9
