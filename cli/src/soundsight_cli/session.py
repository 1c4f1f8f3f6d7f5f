"""The suite that a command works with: the one of this machine, or one behind a gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc

from soundsight.common.v1.implementation_pb2 import GetInfoRequest, GetInfoResponse
from soundsight.common.v1.implementation_pb2_grpc import ImplementationServiceStub
from soundsight_cli.display import Display
from soundsight_cli.languagemodel import LanguageModel
from soundsight_cli.state import StateFolder
from soundsight_cli.suite import suite_in_use
from soundsight_cli.supervisor import SuiteError
from soundsight_client import Client
from soundsight_kit.channels import TlsSource, client_tls, open_channel
from soundsight_kit.errors import error_from_rpc
from soundsight_kit.settings import KitSettings, load_settings

PROJECT = "projects/default"
"""A machine of one's own has one project."""

ANSWER_TIMEOUT_S = 10.0
"""A service says what it is at once or not at all."""


@dataclass(frozen=True)
class Session:
    """What all commands share."""

    state: StateFolder
    gateway: str | None
    """The gateway of a suite elsewhere; None for one on this machine."""
    model: LanguageModel | None = None
    """The language model that a suite on this machine shall have; None for whatever it has."""
    video_model: str = ""
    """The diffusion model that it shall film with; empty for whatever it has."""


@asynccontextmanager
async def connected(session: Session, display: Display) -> AsyncIterator[Client]:
    """Yields a client of the suite; starts the suite of this machine where none runs."""
    if session.gateway is not None:
        display.step(f"asking the gateway at {session.gateway}", 0.0)
        tls = tls_elsewhere()
        answer = (await describe_all({"gateway": session.gateway}, tls))["gateway"]
        if isinstance(answer, str):
            raise SuiteError(
                f"no gateway answers at {session.gateway} ({answer}); check --gateway, or leave "
                "it out to use a suite on this machine"
            )
        async with Client(session.gateway, project=PROJECT, tls=tls) as client:
            yield client
        return

    def tell(line: str) -> None:
        display.step(line, 0.0)

    async with (
        suite_in_use(session.state, tell, session.model, session.video_model) as suite,
        Client(suite.gateway, project=PROJECT) as client,
    ):
        yield client


def tls_elsewhere() -> TlsSource | None:
    """How servers on other machines are proved: as the services do it, by SOUNDSIGHT_TLS_*."""
    return client_tls(load_settings(KitSettings))


async def describe_all(
    targets: Mapping[str, str], tls: TlsSource | None = None
) -> dict[str, GetInfoResponse | str]:
    """Asks each service what it is; one that does not answer gives the reason instead."""
    answers: dict[str, GetInfoResponse | str] = {}
    for name, target in targets.items():
        try:
            async with open_channel(target, tls) as channel:
                stub = ImplementationServiceStub(channel)
                answers[name] = await stub.GetInfo(GetInfoRequest(), timeout=ANSWER_TIMEOUT_S)
        except grpc.RpcError as error:
            answers[name] = error_from_rpc(error).message
    return answers
