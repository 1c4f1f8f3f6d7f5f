"""The language model that writes: one that the suite serves with vLLM, or one that runs already.

vLLM lives in an environment of its own, made by `make setup-vllm`; nothing of it is imported here.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shlex
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from soundsight_cli.child import Child, SuiteError

ENVIRONMENT = "SOUNDSIGHT_VLLM_ENVIRONMENT"
"""Names the folder of vLLM's environment where it is not beside the suite's own."""
ARGUMENTS = "SOUNDSIGHT_VLLM_ARGS"
"""Further arguments of `vllm serve`, such as `--max-model-len 16384`."""

LOAD_TIMEOUT_S = 1_800.0
TELL_EVERY_S = 15.0
_ASK_TIMEOUT_S = 10.0
_CPU_CACHE_GIB = 1
_CONFIGURATION = "config.json"


@dataclass(frozen=True)
class LanguageModel:
    """Which model writes: `source` (a folder or a hub id) is served here, `url` serves already."""

    source: str = ""
    url: str = ""
    name: str = ""

    def arguments(self) -> list[str]:
        """The options that name it on a command line."""
        if self.source:
            return ["--llm", self.source]
        return ["--llm-url", self.url, "--llm-model", self.name]

    @property
    def label(self) -> str:
        """Tells two models apart."""
        return self.source or f"{self.name} at {self.url}"


def choose(source: str | None, url: str | None, name: str | None) -> LanguageModel | None:
    """The model that the options mean; None when they mean none.

    Raises:
        SuiteError: when they contradict each other, or name what is not there.
    """
    if source and url:
        raise SuiteError("--llm serves a model here, --llm-url uses one that runs; give one")
    if name and not url:
        raise SuiteError("--llm-model names a model at --llm-url; --llm is enough for one here")
    if url:
        return LanguageModel(url=url.rstrip("/"), name=name or only_model(url.rstrip("/")))
    if not source:
        return None
    folder = Path(source).expanduser()
    if folder.is_dir():
        if not (folder / _CONFIGURATION).is_file():
            raise SuiteError(f"{folder} holds no model: it has no {_CONFIGURATION}")
        source = str(folder.absolute())
    elif source.startswith((".", "/", "~")):
        raise SuiteError(f"there is no folder {folder} for --llm")
    vllm_program()
    return LanguageModel(source=source)


def only_model(url: str) -> str:
    """The name of the one model that an endpoint serves.

    Raises:
        SuiteError: when nothing answers there, or there are several.
    """
    try:
        models = f"{_http(url)}/models"
        with urllib.request.urlopen(models, timeout=_ASK_TIMEOUT_S) as answer:  # noqa: S310 - HTTP
            names = [str(model["id"]) for model in json.load(answer)["data"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SuiteError(f"no language model answers at {url} ({error}); check --llm-url") from None
    if len(names) != 1:
        raise SuiteError(
            f"{url} serves {', '.join(names) or 'no model'}; name one with --llm-model"
        )
    return names[0]


def vllm_program() -> Path:
    """The program `vllm` of the environment.

    Raises:
        SuiteError: when there is none.
    """
    named = os.environ.get(ENVIRONMENT)
    environment = Path(named) if named else Path(sys.prefix).parent / ".venv-vllm"
    program = environment / "bin" / "vllm"
    if not program.is_file():
        raise SuiteError(f"there is no vLLM in {environment}: run `make setup-vllm`")
    return program


@dataclass
class ModelServer(Child):
    """vLLM with one model, at a port of this machine that only the suite has the key of."""

    source: str = ""
    key: str = ""
    port: int = 0
    tell: Callable[[str], None] = print

    @classmethod
    def of(
        cls,
        model: LanguageModel,
        environment: Mapping[str, str],
        log: Path,
        scratch: Path,
        sockets: Path,
        tell: Callable[[str], None],
    ) -> ModelServer:
        """A server for a model, not yet started. `sockets` has a path short enough for sockets."""
        key, port = secrets.token_urlsafe(24), _free_port()
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        program = vllm_program()
        return cls(
            name="llm",
            target=f"http://127.0.0.1:{port}/v1",
            environment={
                **environment,
                "PATH": f"{program.parent}{os.pathsep}{environment.get('PATH', '')}",
                "TMPDIR": str(scratch),
                "VLLM_RPC_BASE_PATH": str(sockets),
                "VLLM_API_KEY": key,
                "VLLM_NO_USAGE_STATS": "1",
                "DO_NOT_TRACK": "1",
                "VLLM_CPU_KVCACHE_SPACE": environment.get(
                    "VLLM_CPU_KVCACHE_SPACE", str(_CPU_CACHE_GIB)
                ),
                # A folder needs no hub, and shall not ask one.
                **(offline if Path(model.source).is_dir() else {}),
            },
            log=log,
            scratch=scratch,
            source=model.source,
            tell=tell,
            key=key,
            port=port,
        )

    @property
    def title(self) -> str:
        """What it is called in a line for a person."""
        return "the language model"

    @property
    def served_name(self) -> str:
        """The name that requests give: a folder's own, or the hub id."""
        return Path(self.source).name if Path(self.source).is_dir() else self.source

    def settings(self) -> dict[str, str]:
        """What the scene writer is told."""
        return {
            "SOUNDSIGHT_SCENEWRITER_LLM_URL": self.target,
            "SOUNDSIGHT_SCENEWRITER_LLM_MODEL": self.served_name,
            "SOUNDSIGHT_SCENEWRITER_LLM_API_KEY": self.key,
        }

    def command(self) -> Sequence[str]:
        """`vllm serve`."""
        return (
            str(vllm_program()), "serve", self.source, "--served-model-name", self.served_name,
            "--host", "127.0.0.1", "--port", str(self.port),
            *shlex.split(os.environ.get(ARGUMENTS, "")),
        )  # fmt: skip

    async def serving(self) -> None:
        """Returns once the model is loaded, telling now and then how long that takes.

        Raises:
            SuiteError: when vLLM ends first, or does not come up in half an hour.
        """
        assert self.process is not None
        started = told = time.monotonic()
        self.tell(f"loading the language model {self.served_name}")
        while (waited_s := time.monotonic() - started) < LOAD_TIMEOUT_S:
            if self.process.returncode is not None:
                raise SuiteError(f"{self.title} cannot start: {self.last_words()}")
            if await asyncio.to_thread(self._is_healthy):
                self.tell(f"the language model is loaded, after {waited_s:.0f} s")
                return
            if time.monotonic() - told >= TELL_EVERY_S:
                told = time.monotonic()
                self.tell(f"loading the language model, {waited_s:.0f} s so far")
            await asyncio.sleep(0.5)
        raise SuiteError(f"{self.title} does not come up; see {self.log}")

    async def stop(self) -> None:
        """Ends vLLM and the processes that it has started."""
        await super().stop()
        self.kill_group()

    async def spawn(self, lock: int) -> None:
        """Starts vLLM; what an earlier process of it has left goes first."""
        self.kill_group()
        await super().spawn(lock)

    def _is_healthy(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/health"
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def endpoint_settings(model: LanguageModel) -> dict[str, str]:
    """What the scene writer is told of a model that runs already; its key is the caller's affair
    (SOUNDSIGHT_SCENEWRITER_LLM_API_KEY)."""
    return {
        "SOUNDSIGHT_SCENEWRITER_LLM_URL": model.url,
        "SOUNDSIGHT_SCENEWRITER_LLM_MODEL": model.name,
    }


def _http(url: str) -> str:
    """The URL, which must be one of HTTP.

    Raises:
        ValueError: for any other.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url} does not start with http:// or https://")
    return url


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
