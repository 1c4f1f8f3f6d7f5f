"""Which part of a file a request is for (RFC 9110, 13 and 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiohttp import web

from soundsight_kit.errors import InvalidArgument

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `first` up to, not including, `end` of a file of `size`."""

    first: int
    end: int
    size: int

    @property
    def length(self) -> int:
        """Bytes of the part."""
        return self.end - self.first

    @property
    def content_range(self) -> str:
        """The part as the header `Content-Range`."""
        return f"bytes {self.first}-{self.end - 1}/{self.size}"


def wanted_part(request: web.Request, size: int, etag: str) -> Part | None:
    """The part of a file that a download is for: an empty one when the file has no byte of it, None
    when the whole file is asked for.

    A range that cannot be read, or is of another version (`If-Range`), asks for the whole file, as
    do one of several parts, and one of another method than GET.
    """
    if request.method != "GET" or "Range" not in request.headers:
        return None
    if request.headers.get("If-Range", etag) != etag:
        return None
    try:
        wanted = request.http_range
    except ValueError:
        return None
    first, end, _ = wanted.indices(size)
    return Part(first, max(first, end), size)


def sent_part(request: web.Request) -> Part:
    """The part of a file that an upload's body is, by `Content-Range` and `Content-Length`.

    Raises HTTPLengthRequired; InvalidArgument for headers that contradict each other.
    """
    length = request.content_length
    if length is None:
        raise web.HTTPLengthRequired(text="an upload needs a Content-Length")
    if "Content-Range" not in request.headers:
        return Part(0, length, length)
    found = _CONTENT_RANGE.fullmatch(request.headers["Content-Range"])
    if found is not None:
        part = Part(int(found[1]), int(found[2]) + 1, int(found[3]))
        if part.end <= part.size and part.length == length:
            return part
    raise InvalidArgument(
        "Content-Range must be `bytes FIRST-LAST/SIZE` with as many bytes as Content-Length says",
        field="Content-Range",
    )
