"""Strategies for HTTP requests: good ones of every route, of which a few things are changed."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from fuzz.gateways import PARENT, RENDER, UPLOAD, Gateway, good_requests, song, words
from fuzz.http_requests import HttpRequest, annotated, http_request, make_writable, patterns
from fuzz.strategies import rarely, requests
from hypothesis import strategies as st

_SONG: Final = song()
_DIGEST: Final = base64.b64encode(hashlib.sha256(_SONG).digest()).decode()
_ETAG: Final = f'"{hashlib.sha256(_SONG).hexdigest()}"'

LONGEST_TARGET: Final = 8000
"""Longer ones are refused before they are read."""

HEADERS: Final = {
    "Content-Type": (
        "application/json", "application/json; charset=latin-1", "text/plain", "", "/", "a/b;c",
        "audio/wav", "text/html", "multipart/form-data; boundary=x", "ü/ü", "a" * 300 + "/b",
        "audio/WAV; x=\"\\\"\"", "application/grpc",
    ),
    "Host": (
        "localhost", "evil.example", "", "[::1]:80", "[", "a:b:c", "127.0.0.1:x", "LOCALHOST.",
        "ü", "localhost@evil.example", "localhost/..",
    ),
    "Origin": ("null", "http://evil.example", "http://127.0.0.1", "http://[::1", "[", "", "ü"),
    "Accept": ("text/event-stream", "application/x-ndjson", "*/*", "text/event-stream;q=0", ","),
    "Last-Event-ID": ("1", "0", "-1", "x", "9" * 18, "9" * 19, "٣", "²", "1 ", "NaN"),
    "Range": (
        "bytes=0-5", "bytes=-5", "bytes=5-", "bytes=9-2", "bytes=-0", "bytes=0-1,3-4", "bytes=a-b",
        "items=0-5", f"bytes=0-{'9' * 30}", f"bytes={'9' * 30}-", f"bytes=-{'9' * 5000}",
        "bytes=--1", "bytes=٣-٤", "bytes", "bytes= 0-5",
    ),
    "If-Range": (_ETAG, '"x"', f"W/{_ETAG}", "Fri, 27 Nov 2026 03:00:00 GMT", "", "ü"),
    "If-None-Match": (_ETAG, f"W/{_ETAG}", "*", '"x", "y"', "x", '"', "", "ü"),
    "If-Match": ('"x"',),
    "If-Modified-Since": ("Fri, 27 Nov 2026 03:00:00 GMT", "never"),
    "Content-Range": (
        f"bytes 0-{len(_SONG) - 1}/{len(_SONG)}", f"bytes 0-{len(_SONG) - 1}/99999",
        f"bytes 0-{len(_SONG) - 1}/*", f"bytes 1-{len(_SONG)}/{len(_SONG) + 1}", "bytes 5-2/3",
        "bytes 0-0/0", "bytes */5", f"bytes 0-{'9' * 18}/{'9' * 18}", f"bytes 0-1/{'9' * 30}", "",
        "bytes ٣-٤/٥", "bytes 0--1/5",
    ),
    "Repr-Digest": (
        f"sha-256=:{_DIGEST}:", f"md5=:AAAA:, sha-256=:{_DIGEST}:", "sha-256=:AAAA:",
        f"sha-256=:{'A' * 43}=:", "sha-256=:===:", "sha-512=:AAAA:", "x", "", "ü",
    ),
    "Content-Encoding": ("gzip", "identity", "br", "", "x, y"),
    "traceparent": (f"00-{'a' * 32}-{'b' * 16}-01", "x", "ü", "0" * 4000, ""),
    "tracestate": ("a=b", "ü=ü", "=" * 600),
    "X-Forwarded-Host": ("evil.example",),
    "Cookie": ("a=b; c", "=" * 50),
}  # fmt: skip
"""Headers that mean something here, with values that do and that do not."""

FILE_HEADERS: Final = ["Range", "If-Range", "If-None-Match", "Content-Range", "Repr-Digest"]

FRAMING: Final = {
    "TARGET": ("ü", "\udcff", "#x", "\x7f", " ", "\x00", "x" * 9_000),
    "Content-Length": ("0", "5", "-1", "+5", "5, 5", "9" * 30, "0x5", "", "٣", "9" * 15),
    "Transfer-Encoding": ("chunked", "identity", "gzip, chunked", "chunked, chunked", "x"),
    "Connection": ("keep-alive", "upgrade", "close, x", ""),
    "Upgrade": ("websocket", "h2c"),
    "Expect": ("100-continue", "200-maybe", "100-\udcc5", "ü", ""),
    "Long": ("x" * 9_000, "x" * 200_000),
    "": ("x",),
    "A b": ("x",),
    "X\x00": ("\x00", "a\rb", "a\nb"),
}  # fmt: skip
"""Headers, and ends of the target, that say where a request ends, or break it."""

_FRAGMENTS: Final = (
    "null", "true", "0", "-1", "1.5", "1e400", "-1e-400", "NaN", "-Infinity", "9" * 400,
    "9223372036854775808", '""', '"x"', r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', '"\x00"',
    '"\x1f"', "[]", "{}", "[[]]", '{"a": 1, "a": 2}', '{"": {}}', '{"@type": "x"}', "[" * 200,
    "[" * 100_000, '{"spec":' * 3000, '{"spec": ' * 60 + "1" + "}" * 60, "'x'", "// x", "",
    '{"error": {"details": [{"@type": "type.googleapis.com/google.protobuf.Any", "value": {}}]}}',
    '"2020-13-01T00:00:00Z"', '"x' + "й" * 5000 + '"', "1" * 5000, "-", "tru", "\ufeff{}",
)  # fmt: skip
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}\[\]:,]')
_PARAMETERS: Final = (
    "pageSize", "page_size", "pageToken", "filter", "parent", "name", "renderId", "request_id",
    "afterSequence", "previews", "etag", "updateMask", "update_mask.paths", "render.spec.seed",
    "render.labels", "render.labels.a", "storyboard.scenes.id", "a.b.c", "", ".", "..",
    "updateMask.", "uri", "fileName", "x" * 300, "ü", "%", "__class__", "pageSize[]",
)  # fmt: skip
_VALUES: Final = (
    "", "1", "true", "-1", "x", "NaN", "1e3", "9" * 30, "9" * 5000, "%FF", "%00", "%", "%zz",
    "a%0Ab", "%ED%A0%80", "a,b", "scenes,treatment.title", "aB_c", "..", "%2e%2e%2f", "[1]",
    "{}", "|",  "+", "&&", "?", "%F0%9F%8E%B5",
)  # fmt: skip


@dataclass(frozen=True)
class Wire:
    """A request with its headers, as bytes in the end."""

    request: HttpRequest
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def is_head(self) -> bool:
        """Whether the answer has no body."""
        return self.request.method == "HEAD"

    def written(self) -> bytes:
        """The bytes to send."""
        headers = dict(self.headers)
        headers.setdefault("Host", "localhost")
        lines = [f"{self.request.method} {self.request.target} HTTP/1.1"]
        if self.request.body is not None:
            headers.setdefault("Content-Type", "application/json")
            headers.setdefault("Content-Length", str(len(self.request.body)))
        headers.setdefault("Connection", "close")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
        return head + (self.request.body or b"")


def good(gateway: Gateway) -> list[Wire]:
    """Requests of every route that the gateway takes."""
    sent = good_requests(gateway)
    calls = [
        Wire(http_request(method, message))
        for method in annotated()
        for message in sent[method.name]
    ]
    short = [wire for wire in calls if len(wire.request.target) < LONGEST_TARGET]
    return short + good_files(gateway)


def good_files(gateway: Gateway) -> list[Wire]:
    """Requests of the routes that no annotation makes, for files mostly."""
    download = f"/v1/{PARENT}/artifacts:download?uri={quote(gateway.spec.song.uri)}"
    upload, new = (f"/v1/{PARENT}/uploads/{name}" for name in (UPLOAD, "upload-0003"))
    digest = ("Repr-Digest", f"sha-256=:{_DIGEST}:")
    first_part = ("Content-Range", f"bytes 0-8/{len(_SONG)}")
    return [
        Wire(HttpRequest("PUT", f"{upload}?fileName=x", _SONG), (("Content-Type", "audio/wav"),)),
        Wire(HttpRequest("PUT", new, _SONG), (digest,)),
        Wire(HttpRequest("PUT", new, _SONG[:9]), (first_part,)),
        Wire(HttpRequest("GET", upload)),
        *(Wire(HttpRequest(method, download)) for method in ("GET", "GET", "HEAD")),
        *(
            Wire(HttpRequest("GET", f"/v1/{RENDER}/outputs/{name}"))
            for name in ("video", "poster", "analysis", "analysis", "storyboard")
        ),
        Wire(HttpRequest("GET", "/healthz")),
        Wire(HttpRequest("GET", "/openapi.json")),
    ]


@st.composite
def wires(draw: st.DrawFn, gateway: Gateway, *, deleting: bool = False) -> Wire:
    """Whole requests, framed as HTTP wants it, with anything in them.

    They are of any route but the one that deletes; or, when `deleting`, of that one.
    """
    made = _calls(gateway, deleting)
    wire = draw(made if deleting else st.one_of(made, st.sampled_from(good_files(gateway))))
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2, 3)))):
        change = draw(st.sampled_from((_with_header, _with_header, _with_target, _with_body)))
        wire = change(draw, wire, words(gateway))
    short = replace(wire.request, target=wire.request.target[:LONGEST_TARGET])
    return replace(wire, request=short)


@st.composite
def broken(draw: st.DrawFn, gateway: Gateway) -> list[bytes]:
    """Bytes to send one after another, which may be no request at all."""
    known = [wire for wire in good(gateway) if wire.request.method != "DELETE"]
    wire = draw(rarely(wires(gateway), otherwise=st.sampled_from(known)))
    name = draw(st.sampled_from(sorted(FRAMING)))
    if name == "TARGET":
        target = wire.request.target + draw(st.sampled_from(FRAMING[name]))
        wire = replace(wire, request=replace(wire.request, target=target))
    elif draw(st.booleans()):
        wire = replace(wire, headers=(*wire.headers, (name, draw(st.sampled_from(FRAMING[name])))))
    data = wire.written()
    match draw(st.sampled_from(("whole", "cut", "changed", "twice", "noise"))):
        case "cut":
            data = data[: draw(st.integers(0, len(data)))]
        case "changed":
            at = draw(st.integers(0, min(len(data), 400)))
            data = data[:at] + draw(st.binary(max_size=6)) + data[at + draw(st.integers(0, 6)) :]
        case "twice":
            data = data.replace(b"Connection: close", b"Connection: keep-alive") + data
        case "noise":
            data = draw(st.binary(max_size=200)) + draw(st.sampled_from((b"", b"\r\n\r\n")))
    pieces = draw(st.integers(1, 4))
    size = len(data) // pieces + 1
    return [data[start : start + size] for start in range(0, len(data), size)]


@st.composite
def _calls(draw: st.DrawFn, gateway: Gateway, deleting: bool) -> Wire:
    """Requests of methods, changed or made of nothing as those over gRPC are."""
    deletes = "DeleteRender"
    methods = [method for method in annotated() if (method.name == deletes) == deleting]
    method = draw(st.sampled_from(methods))
    known = good_requests(gateway)[method.name]
    message = draw(requests(*known, words=words(gateway)))
    if draw(st.booleans()):
        # What is asked about is there, so that the rest of the request is looked at.
        for field in patterns(method):
            setattr(message, field, getattr(known[0], field))
    make_writable(message)
    return Wire(http_request(method, message))


def _with_header(draw: st.DrawFn, wire: Wire, _: Sequence[str]) -> Wire:
    is_of_file = "/uploads/" in wire.request.target or ":download" in wire.request.target
    names = FILE_HEADERS if is_of_file and draw(st.booleans()) else sorted(HEADERS)
    name = draw(st.sampled_from(names))
    return replace(wire, headers=(*wire.headers, (name, draw(st.sampled_from(HEADERS[name])))))


def _with_target(draw: st.DrawFn, wire: Wire, known: Sequence[str]) -> Wire:
    path, _, query = wire.request.target.partition("?")
    match draw(st.sampled_from(("segment", "verb", "parameter", "method", "bytes"))):
        case "segment":
            parts = path.split("/")
            odd = draw(st.one_of(st.sampled_from(known), st.sampled_from(_VALUES), st.text()))
            at = draw(st.integers(1, len(parts) - 1))
            parts[at] = quote(odd, safe="/%:" if draw(st.booleans()) else "")
            path = "/".join(parts)
        case "verb":
            path += draw(st.sampled_from((":", ":watch", ":cancel", ":download", ":x", "%3Awatch")))
        case "parameter":
            name = draw(st.sampled_from(_PARAMETERS))
            value = draw(st.one_of(st.sampled_from(_VALUES), st.sampled_from(known).map(quote)))
            query += f"&{name}={value}"
        case "method":
            method = draw(st.sampled_from(("GET", "HEAD", "POST", "PUT", "TRACE", "MKCOL")))
            return replace(wire, request=replace(wire.request, method=method))
        case "bytes":
            path += draw(st.sampled_from(("%ff", "/", "//", ";a", "%00", "%7F", "|", '"', "^")))
    target = re.sub(r"[^\x21-\x7e]|#", "+", f"{path}?{query}" if query else path)
    return replace(wire, request=replace(wire.request, target=target))


def _with_body(draw: st.DrawFn, wire: Wire, _: Sequence[str]) -> Wire:
    body = wire.request.body or b"{}"
    fragment = draw(st.sampled_from(_FRAGMENTS))
    match draw(st.sampled_from(("token", "token", "whole", "bytes", "none"))):
        case "token":
            text = body.decode("latin-1")
            tokens = list(_TOKEN.finditer(text[:5000]))
            if tokens:
                found = tokens[draw(st.integers(0, len(tokens) - 1))]
                text = text[: found.start()] + "\0" + text[found.end() :]
            body = text.encode("latin-1").replace(b"\0", fragment.encode(), 1)
        case "whole":
            body = fragment.encode()
        case "bytes":
            at = draw(st.integers(0, min(len(body), 2000)))
            body = body[:at] + draw(st.binary(max_size=4)) + body[at + draw(st.integers(0, 4)) :]
        case "none":
            body = b""
    return replace(wire, request=replace(wire.request, body=body))
