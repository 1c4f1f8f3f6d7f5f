"""Files over HTTP: uploads that can be resumed, downloads of parts."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

import grpc
from aiohttp import StreamReader, web
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight.render.v1 import artifacts_pb2, artifacts_pb2_grpc, render_pb2, render_pb2_grpc
from soundsight_gateway.artifact_service import CHUNK_BYTES, OCTETS
from soundsight_gateway.http.calls import CALL_TIMEOUT_S, json_response, query_of, trace_of
from soundsight_gateway.http.problems import Refused, response_of
from soundsight_gateway.http.ranges import Part, sent_part, wanted_part
from soundsight_gateway.http.requests import body_not_taken, read_query
from soundsight_kit.errors import InvalidArgument, NotFound, error_from_rpc
from soundsight_kit.logs import log

TRANSFER_TIMEOUT_S: Final = 3600.0
PAUSE_S: Final = 60.0
"""Longest time in which nothing of an upload comes, before it counts as broken off."""
OUTPUTS: Final = ("video", "poster", "analysis", "storyboard")
"""The files among a render's outputs."""

_SHOWN: Final = re.compile(r"(audio|video)/[^+]+|image/(png|jpeg|webp|gif|avif)|application/json")
"""What a browser may show as a page of this server: nothing that could hold a script, as whatever
ends in `+xml` can."""
_DIGEST: Final = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")


class Files:
    """The handlers of routes for files.

    Args:
        channel: to the gateway's own gRPC server.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._files = artifacts_pb2_grpc.ArtifactServiceStub(channel)
        self._renders = render_pb2_grpc.RenderServiceStub(channel)

    def routes(self) -> list[web.AbstractRouteDef]:
        """All routes for files."""
        project = "/v1/{parent:projects/[^/:]+}"
        return [
            web.put(f"{project}/uploads/{{upload_id}}", self.upload),
            web.get(f"{project}/uploads/{{upload_id}}", self.get_upload),
            web.get(f"{project}/artifacts:download", self.download),
            web.get(
                f"{project}/renders/{{render}}/outputs/{{output:{'|'.join(OUTPUTS)}}}",
                self.download_output,
            ),
        ]

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """Takes a file, or what is still missing of it."""
        part = sent_part(request)
        header = artifacts_pb2.UploadHeader(
            parent=request.match_info["parent"],
            upload_id=request.match_info["upload_id"],
            offset_bytes=part.first,
            size_bytes=part.size,
            sha256=_digest_of(request),
            media_type=request.content_type,
        )
        read_query(header, query_of(request), ("file_name",))
        call = self._files.Upload(metadata=trace_of(request))
        sending = asyncio.create_task(_pass_on(header, request.content, call))
        try:
            answer = await call
        except grpc.RpcError as raised:
            error = error_from_rpc(raised)
            come = error.metadata.get("committed_bytes")
            if error.reason != "UPLOAD_INCOMPLETE" or come != str(part.end):
                raise error from None
            # More was announced than this request was to bring, all of which came.
            response = json_response(artifacts_pb2.GetUploadResponse(committed_bytes=part.end))
            response.set_status(HTTPStatus.ACCEPTED)
            return response
        finally:
            # An answer may come before the body has.
            sending.cancel()
            await asyncio.wait({sending})
        response = json_response(answer)
        await response.prepare(request)
        await response.write_eof()
        await _read_on(request.content)
        return response

    async def get_upload(self, request: web.Request) -> web.StreamResponse:
        """Tells how far an upload is."""
        _read_question(request, empty_pb2.Empty())
        wanted = artifacts_pb2.GetUploadRequest(
            parent=request.match_info["parent"], upload_id=request.match_info["upload_id"]
        )
        answer = await self._files.GetUpload(
            wanted, timeout=CALL_TIMEOUT_S, metadata=trace_of(request)
        )
        return json_response(answer)

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Gives out a file."""
        wanted = artifacts_pb2.DownloadRequest()
        _read_question(request, wanted, "uri")
        return await self._send(request, wanted.uri, wanted.uri.rpartition("/")[2])

    async def download_output(self, request: web.Request) -> web.StreamResponse:
        """Gives out one of a render's files. Raises NotFound before it is there."""
        _read_question(request, empty_pb2.Empty())
        parent, render, output = (request.match_info[key] for key in ("parent", "render", "output"))
        name = f"{parent}/renders/{render}"
        found = await self._renders.GetRender(
            render_pb2.GetRenderRequest(name=name),
            timeout=CALL_TIMEOUT_S,
            metadata=trace_of(request),
        )
        file: ArtifactRef = getattr(found.outputs, output)
        if not file.uri:
            raise NotFound("artifact", f"{name}/outputs/{output}", reason="NOT_MADE_YET")
        return await self._send(request, file.uri, output + PurePosixPath(file.uri).suffix)

    async def _send(self, request: web.Request, uri: str, name: str) -> web.StreamResponse:
        parent = request.match_info["parent"]
        file = await self._describe(request, parent, uri)
        response = web.StreamResponse(headers=headers_of(file, name))
        response.etag = file.sha256
        if {"*", file.sha256} & {tag.value for tag in request.if_none_match or ()}:
            response.set_status(HTTPStatus.NOT_MODIFIED)
            await response.prepare(request)
            return response
        part = wanted_part(request, file.size_bytes, f'"{file.sha256}"')
        if part is None:
            part = Part(0, file.size_bytes, file.size_bytes)
        elif not part.length:
            return _beyond_the_end(file)
        else:
            response.set_status(HTTPStatus.PARTIAL_CONTENT)
            response.headers["Content-Range"] = part.content_range
        response.content_length = part.length
        await response.prepare(request)
        if request.method == "HEAD" or not part.length:
            return response
        wanted = artifacts_pb2.DownloadRequest(
            parent=parent, uri=uri, offset_bytes=part.first, limit_bytes=part.length
        )
        call = self._files.Download(wanted, timeout=TRANSFER_TIMEOUT_S, metadata=trace_of(request))
        try:
            async for piece in call:
                await response.write(piece.chunk)
        except grpc.RpcError as raised:
            # Too late for another status: a caller sees that bytes are missing.
            log.warning("download broke off", uri=uri, error=str(error_from_rpc(raised)))
            if request.transport is not None:
                request.transport.abort()
        finally:
            call.cancel()
        return response

    async def _describe(self, request: web.Request, parent: str, uri: str) -> ArtifactRef:
        """What lies at a URI. Raises the error that the download ends with."""
        wanted = artifacts_pb2.DownloadRequest(parent=parent, uri=uri, limit_bytes=1)
        call = self._files.Download(wanted, timeout=CALL_TIMEOUT_S, metadata=trace_of(request))
        async for first in call:
            return first.artifact
        raise NotFound("artifact", uri)


async def _pass_on(header: artifacts_pb2.UploadHeader, body: StreamReader, call: Any) -> None:
    """Sends an upload's messages, for as long as its call takes them and there are any."""
    try:
        await call.write(artifacts_pb2.UploadRequest(header=header))
        async for chunk in _chunks(body):
            await call.write(artifacts_pb2.UploadRequest(chunk=chunk))
        await call.done_writing()
    except (grpc.RpcError, asyncio.InvalidStateError):
        pass  # The call has ended; its answer tells why.
    except (OSError, web.RequestPayloadError):
        call.cancel()  # The body broke off: nobody is left to hear what becomes of it.


async def _chunks(body: StreamReader) -> AsyncIterator[bytes]:
    """What comes of a body until it ends, or pauses for too long."""
    while True:
        try:
            async with asyncio.timeout(PAUSE_S):
                chunk = await body.read(CHUNK_BYTES)
        except TimeoutError:
            return  # The call's answer tells how much there is.
        if not chunk:
            return
        yield chunk


async def _read_on(body: StreamReader) -> None:
    """Reads what is left of a body whose file is stored already. Many a caller reads no answer
    before all is sent, and one who is cut off takes the upload for failed."""
    with contextlib.suppress(TimeoutError, OSError, web.RequestPayloadError):
        async with asyncio.timeout(TRANSFER_TIMEOUT_S):
            async for _ in _chunks(body):
                pass


def _read_question(request: web.Request, wanted: Message, *parameters: str) -> None:
    """Reads the parameters of a request without a body. Raises InvalidArgument for all else."""
    if request.can_read_body:
        raise body_not_taken()
    read_query(wanted, query_of(request), parameters)


def headers_of(file: ArtifactRef, name: str) -> dict[str, str]:
    """What a browser is told about a file: callers of the API chose its media type."""
    disposition = "inline" if _SHOWN.fullmatch(file.media_type) else "attachment"
    # Twice, since curl and others read plain names alone (RFC 6266, appendix D).
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    names = f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return {
        "Accept-Ranges": "bytes",
        "Content-Type": file.media_type or OCTETS,
        "Content-Disposition": f"{disposition}; {names}",
    }


def _beyond_the_end(file: ArtifactRef) -> web.Response:
    error = Refused(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        f"the file has {file.size_bytes} bytes, and the range none of them",
        reason="OFFSET_BEYOND_END",
        code=grpc.StatusCode.OUT_OF_RANGE,
    )
    response = response_of(error)
    response.headers["Content-Range"] = f"bytes */{file.size_bytes}"
    return response


def _digest_of(request: web.Request) -> str:
    """The SHA-256 of the whole file by `Repr-Digest` (RFC 9530); empty when none is given.

    Raises InvalidArgument for a header that names none.
    """
    given = request.headers.get("Repr-Digest", "")
    if not given:
        return ""
    found = _DIGEST.search(given)
    try:
        digest = base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise InvalidArgument(
            "Repr-Digest must hold sha-256=:BASE64: of the whole file", field="Repr-Digest"
        )
    return digest.hex()
