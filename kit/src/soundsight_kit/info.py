"""What an implementation says about itself, and the servicer that says it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import grpc
from google.protobuf.message import Message

from soundsight.common.v1.implementation_pb2 import (
    GetInfoRequest,
    GetInfoResponse,
    Limits,
    Model,
)
from soundsight.common.v1.implementation_pb2_grpc import ImplementationServiceServicer

API_VERSION = "v1"


def implementation_info(
    distribution: str,
    *,
    implementation: str,
    description: str,
    fingerprint: str,
    capabilities: Sequence[str] = (),
    limits: Limits | None = None,
    models: Sequence[Model] = (),
    profile: Message | None = None,
) -> GetInfoResponse:
    """Builds the answer to GetInfo; the version is that of the installed distribution."""
    info = GetInfoResponse(
        implementation=implementation,
        version=version(distribution),
        fingerprint=fingerprint,
        api_version_low=API_VERSION,
        api_version_high=API_VERSION,
        capabilities=capabilities,
        limits=limits,
        models=models,
        description=description,
    )
    if profile is not None:
        info.profile.Pack(profile)
    return info


class InfoServicer(ImplementationServiceServicer):
    """Answers GetInfo with what was known at start."""

    def __init__(self, info: GetInfoResponse) -> None:
        self._info = info

    async def GetInfo(  # noqa: N802 - named by the contract
        self, request: GetInfoRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> GetInfoResponse:
        """Returns the description."""
        return self._info
