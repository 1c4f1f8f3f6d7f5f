"""Files over HTTP arrive as they were sent, whole or in parts, and are no pages of ours."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientPayloadError

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight_gateway.http import files, server
from soundsight_gateway.http.files import headers_of
from soundsight_kit.testing import assert_eventually

PROJECT = "/v1/projects/demo"
UPLOAD = f"{PROJECT}/uploads/upload-0001"
MIB = 1 << 20
DATA = bytes(range(250)) * 80_000
"""19 MiB: several parts, the last of them shorter."""
SMALL = DATA[: 2 * MIB + 3]


def repr_digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


async def download(web: Any, ref: dict[str, str], **headers: str) -> Any:
    return await web.ask(
        "GET", f"{PROJECT}/artifacts:download", params={"uri": ref["uri"]}, headers=headers
    )


async def committed(web: Any) -> int:
    return int((await web.ask("GET", UPLOAD)).json.get("committedBytes", 0))


async def test_what_is_sent_comes_back(web: Any) -> None:
    """Whole, with the digest and the media type that it was sent with."""
    headers = {"Repr-Digest": repr_digest(DATA), "Content-Type": "audio/ogg; codecs=opus"}
    sent = await web.ask("PUT", UPLOAD, data=DATA, headers=headers)
    ref = sent.json["artifact"]
    assert (ref["sha256"], ref["mediaType"]) == (hashlib.sha256(DATA).hexdigest(), "audio/ogg")
    back = await download(web, ref)
    assert back.body == DATA
    assert back.headers["Content-Type"] == "audio/ogg"
    assert back.headers["ETag"] == f'"{ref["sha256"]}"'


async def test_other_bytes_than_the_digest_says_are_refused(web: Any) -> None:
    """What was changed on the way is no file of ours."""
    answer = await web.ask("PUT", UPLOAD, data=DATA, headers={"Repr-Digest": repr_digest(b"else")})
    assert (answer.status, answer.json["reason"]) == (400, "CHECKSUM_MISMATCH")
    assert (await web.ask("GET", UPLOAD)).status == 404


@pytest.mark.parametrize("digest", ["sha-256=abc", "sha-256=:abc:", "md5=:YWJj:", "sha-256=:====:"])
async def test_a_digest_that_is_none_is_refused(web: Any, digest: str) -> None:
    """Rather than left unchecked."""
    answer = await web.ask("PUT", UPLOAD, data=b"abc", headers={"Repr-Digest": digest})
    assert (answer.status, answer.json["violations"][0]["field"]) == (400, "Repr-Digest")


async def test_an_upload_goes_on_where_it_broke_off(web: Any) -> None:
    """What a broken request had sent is kept, its size is told, and the rest completes it."""
    begun = asyncio.Event()

    async def broken() -> AsyncIterator[bytes]:
        yield DATA[: 9 * MIB]
        begun.set()
        await asyncio.sleep(3600)

    headers = {"Content-Length": str(len(DATA))}
    sending = asyncio.create_task(web.ask("PUT", UPLOAD, data=broken(), headers=headers))
    await begun.wait()

    async def kept() -> bool:
        return await committed(web) > 0

    await assert_eventually(kept)
    sending.cancel()

    async def whole() -> bool:
        return await committed(web) == 9 * MIB

    await assert_eventually(whole)
    rest = {"Content-Range": f"bytes {9 * MIB}-{len(DATA) - 1}/{len(DATA)}"}
    sent = await web.ask("PUT", UPLOAD, data=DATA[9 * MIB :], headers=rest)
    assert (await download(web, sent.json["artifact"])).body == DATA


async def test_a_file_can_be_sent_in_pieces(web: Any) -> None:
    """Each but the last is accepted with how much there is now."""
    for start in range(0, len(DATA), 8 * MIB):
        piece = DATA[start : start + 8 * MIB]
        end = start + len(piece)
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(DATA)}"}
        answer = await web.ask("PUT", UPLOAD, data=piece, headers=headers)
        if end < len(DATA):
            assert (answer.status, answer.json) == (202, {"committedBytes": str(end)})
    assert answer.status == 200
    assert (await download(web, answer.json["artifact"])).body == DATA


async def test_a_piece_at_the_wrong_place_is_refused(web: Any) -> None:
    """With how much there is, so that the caller can go on from there."""
    headers = {"Content-Range": "bytes 5-9/10"}
    answer = await web.ask("PUT", UPLOAD, data=b"56789", headers=headers)
    assert (answer.status, answer.json["reason"]) == (400, "WRONG_OFFSET")
    assert answer.json["metadata"] == {"committed_bytes": "0"}


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 0-9/10",
        "bytes 0-4/4",
        "bytes 4-0/10",
        "bytes */10",
        "0-4/5",
        "bytes 0-4/*",
        "bytes \u0660-\u0664/\u0665",
    ],
)
async def test_a_range_that_contradicts_its_body_is_refused(web: Any, content_range: str) -> None:
    """Five bytes are sent each time, and other scripts' digits are none."""
    answer = await web.ask("PUT", UPLOAD, data=b"01234", headers={"Content-Range": content_range})
    assert (answer.status, answer.json["violations"][0]["field"]) == (400, "Content-Range")


async def test_an_upload_says_how_long_it_is(web: Any) -> None:
    """A body of unknown length is refused: nobody could tell whether all of it came."""

    async def endless() -> AsyncIterator[bytes]:
        yield b"abc"

    answer = await web.ask("PUT", UPLOAD, data=endless())
    assert (answer.status, answer.json["reason"]) == (411, "LENGTH_REQUIRED")


@pytest.mark.parametrize(
    ("wanted", "first", "end"),
    [
        ("bytes=0-9", 0, 10),
        (f"bytes={MIB - 5}-{MIB + 4}", MIB - 5, MIB + 5),
        ("bytes=-7", len(SMALL) - 7, len(SMALL)),
        (f"bytes={len(SMALL) - 1}-", len(SMALL) - 1, len(SMALL)),
        (f"bytes=5-{len(SMALL) * 2}", 5, len(SMALL)),
        ("bytes=0-", 0, len(SMALL)),
        (f"bytes=-{len(SMALL) * 2}", 0, len(SMALL)),
    ],
)
async def test_any_part_of_a_file_can_be_had(web: Any, wanted: str, first: int, end: int) -> None:
    """As a player that seeks asks for it: some take no other answer, even where a part is all."""
    back = await download(web, await web.upload(SMALL), Range=wanted)
    assert (back.status, back.body) == (206, SMALL[first:end])
    assert back.headers["Content-Range"] == f"bytes {first}-{end - 1}/{len(SMALL)}"


@pytest.mark.parametrize("wanted", ["bytes=9-5", "bytes=0-1,3-4", "lines=0-1", "bytes=x-", "bytes"])
async def test_a_range_that_is_none_is_the_whole_file(web: Any, wanted: str) -> None:
    """As RFC 9110 wants it."""
    back = await download(web, await web.upload(SMALL), Range=wanted)
    assert (back.status, back.body) == (200, SMALL)


async def test_a_part_beyond_the_end_is_refused(web: Any) -> None:
    """With the size of the file."""
    back = await download(web, await web.upload(SMALL), Range=f"bytes={len(SMALL)}-")
    assert (back.status, back.headers["Content-Range"]) == (416, f"bytes */{len(SMALL)}")
    assert back.headers["Content-Type"].startswith("application/problem+json")


async def test_who_has_the_file_gets_it_no_second_time(web: Any) -> None:
    """By its digest; and a part of another version is no part of this one."""
    ref = await web.upload(SMALL)
    etag = f'"{ref["sha256"]}"'
    same = await download(web, ref, **{"If-None-Match": f'"x", {etag}'})
    assert (same.status, same.body) == (304, b"")
    assert (await download(web, ref, **{"If-None-Match": "*"})).status == 304
    assert (await download(web, ref, **{"If-None-Match": '"x"'})).status == 200
    part = {"Range": "bytes=0-1"}
    assert (await download(web, ref, **part, **{"If-Range": etag})).status == 206
    assert (await download(web, ref, **part, **{"If-Range": '"x"'})).status == 200


async def test_a_head_tells_what_a_get_would(web: Any) -> None:
    """Size and type, without the bytes."""
    ref = await web.upload(SMALL)
    url = f"{PROJECT}/artifacts:download"
    head = await web.ask("HEAD", url, params={"uri": ref["uri"]})
    got = await web.ask("GET", url, params={"uri": ref["uri"]})
    assert head.body == b""
    for name in ("Content-Length", "Content-Type", "ETag", "Accept-Ranges"):
        assert head.headers[name] == got.headers[name]


async def test_a_head_is_of_the_whole_file(web: Any) -> None:
    """Parts are for GET alone (RFC 9110, 14.2): whoever asks how large a file is, learns it."""
    ref = await web.upload(SMALL)
    url = f"{PROJECT}/artifacts:download"
    for wanted in ("bytes=0-9", f"bytes={len(SMALL)}-"):
        head = await web.ask("HEAD", url, params={"uri": ref["uri"]}, headers={"Range": wanted})
        assert (head.status, head.headers["Content-Length"]) == (200, str(len(SMALL)))


@pytest.mark.parametrize(
    ("media_type", "shown"),
    [
        ("video/mp4", True),
        ("audio/flac", True),
        ("image/png", True),
        ("image/svg+xml", False),
        ("text/html", False),
        ("application/xhtml+xml", False),
        ("application/pdf", False),
        ("video/x+xml", False),
    ],
)
async def test_what_could_hold_a_script_is_no_page(web: Any, media_type: str, shown: bool) -> None:
    """A browser saves it rather than showing it as a page of the gateway's."""
    sent = await web.ask("PUT", UPLOAD, data=b"<script>", headers={"Content-Type": media_type})
    back = await download(web, sent.json["artifact"])
    assert back.headers["Content-Disposition"].startswith("inline" if shown else "attachment")
    assert back.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_foreign_file_does_not_exist(web: Any) -> None:
    """Nor does one that is not there, and an address elsewhere is refused."""
    ref = await web.upload(SMALL)
    url = "/v1/projects/other/artifacts:download"
    assert (await web.ask("GET", url, params={"uri": ref["uri"]})).status == 404
    elsewhere = await web.ask("GET", url, params={"uri": "https://example.org/"})
    assert (elsewhere.status, elsewhere.json["reason"]) == (400, "FOREIGN_URI")
    assert (await web.ask("GET", url)).status == 400


async def test_outputs_are_there_once_they_are_made(web: Any, bench: Any, song: bytes) -> None:
    """Each by its name; before, it is 404 with a reason of its own."""
    bench.services.analyzer.may_finish.clear()
    waiting = (await web.create(await web.upload(song)))["name"]
    early = await web.ask("GET", f"/v1/{waiting}/outputs/video")
    assert (early.status, early.json["reason"]) == (404, "NOT_MADE_YET")
    assert (await web.ask("GET", f"/v1/{waiting}/outputs/other")).status == 404
    bench.services.analyzer.may_finish.set()
    name = (await web.create(await web.upload(song), seed="1"))["name"]
    await web.ask("GET", f"/v1/{name}:watch")
    outputs = (await web.ask("GET", f"/v1/{name}")).json["outputs"]
    for output in ("video", "poster", "analysis", "storyboard"):
        got = await web.ask("GET", f"/v1/{name}/outputs/{output}")
        assert hashlib.sha256(got.body).hexdigest() == outputs[output]["sha256"]
        assert f'filename="{output}.' in got.headers["Content-Disposition"]
        if output in ("analysis", "storyboard"):
            assert json.loads(got.body)


async def test_a_download_that_breaks_is_seen_to_be_broken(web: Any, bench: Any) -> None:
    """A file that vanishes meanwhile never looks whole."""
    ref = await web.upload(DATA)
    async with web.session.get(
        f"{PROJECT}/artifacts:download", params={"uri": ref["uri"]}
    ) as response:
        assert response.status == 200
        await bench.services.artifacts.delete(bench.services.artifacts.key_of(ref["uri"]))
        with pytest.raises(ClientPayloadError):
            await response.read()


@pytest.mark.parametrize(
    ("name", "plain", "encoded"),
    [
        ("video.mp4", "video.mp4", "video.mp4"),
        ('a"\\\r\n;b.mp4', "a_____b.mp4", "a%22%5C%0D%0A%3Bb.mp4"),
        ("früh/x", "fr_h_x", "fr%C3%BCh%2Fx"),
    ],
)
def test_any_name_of_a_file_is_told(name: str, plain: str, encoded: str) -> None:
    """In full, and once more for those who read plain names alone, such as curl."""
    file = ArtifactRef(media_type="video/mp4")
    assert headers_of(file, name)["Content-Disposition"] == (
        f"inline; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    )


@pytest.mark.parametrize(
    ("method", "path", "parameter"),
    [
        ("PUT", "uploads/upload-0001?fileName=a&size=3", "size"),
        ("PUT", "uploads/upload-0001?mediaType=audio/ogg", "mediaType"),
        ("GET", "uploads/upload-0001?fileName=a", "fileName"),
        ("GET", "artifacts:download?url=x", "url"),
        ("GET", "artifacts:download?uri=x&uri=y", "uri"),
        ("GET", "artifacts:download?uri=x&limitBytes=1", "limitBytes"),
        ("GET", "renders/none/outputs/video?t=5", "t"),
    ],
)
async def test_parameters_of_no_meaning_are_refused(
    web: Any, method: str, path: str, parameter: str
) -> None:
    """As methods refuse them: whoever sends one expects something of it."""
    data = {"data": b"abc"} if method == "PUT" else {}
    answer = await web.ask(method, f"{PROJECT}/{path}", **data)
    assert (answer.status, answer.json["reason"]) == (400, "BAD_QUERY")
    assert answer.json["violations"][0]["field"] == parameter


async def test_parameters_are_read_in_either_spelling(web: Any) -> None:
    """As those of methods are."""
    for number, name in enumerate(("fileName", "file_name")):
        url = f"{PROJECT}/uploads/upload-000{number}?{name}=a"
        assert (await web.ask("PUT", url, data=b"abc")).status == 200


@pytest.mark.parametrize(
    "path", ["uploads/upload-0001", "artifacts:download?uri=x", "renders/none/outputs/video"]
)
async def test_questions_take_no_body(web: Any, path: str) -> None:
    """As methods without one refuse it."""
    answer = await web.ask("GET", f"{PROJECT}/{path}", data=b"abc")
    assert (answer.status, answer.json["reason"]) == (400, "BODY_NOT_TAKEN")


@pytest.mark.parametrize("announced", [len(SMALL), 2 * len(SMALL)])
async def test_an_upload_that_pauses_is_not_waited_for(
    web: Any, monkeypatch: pytest.MonkeyPatch, announced: int
) -> None:
    """It is told how far it came, and holds nothing."""
    monkeypatch.setattr(files, "PAUSE_S", 2.0)

    async def stalling() -> AsyncIterator[bytes]:
        yield SMALL[:MIB]
        await asyncio.sleep(3600)

    last = f"bytes 0-{len(SMALL) - 1}/{announced}"
    headers = {"Content-Length": str(len(SMALL)), "Content-Range": last}
    answer = await web.ask("PUT", UPLOAD, data=stalling(), headers=headers)
    assert (answer.status, answer.json["reason"]) == (400, "UPLOAD_INCOMPLETE")
    assert answer.json["metadata"] == {"committed_bytes": str(await committed(web))}


async def test_who_takes_nothing_is_not_waited_for(
    web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that is there, and reads no further, is let go."""
    monkeypatch.setattr(server, "UNREAD_S", 0.2)
    ref = await web.upload(DATA[: 8 * MIB])
    path = f"{PROJECT}/artifacts:download?uri={quote(ref['uri'])}"
    host, _, port = web.gateway.http.removeprefix("http://").rpartition(":")
    loop = asyncio.get_running_loop()
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.setblocking(False)
        await loop.sock_connect(lazy, (host, int(port)))
        await loop.sock_sendall(lazy, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert await loop.sock_recv(lazy, 12) == b"HTTP/1.1 200"

        def is_closed() -> bool:
            try:
                lazy.send(b"x")
            except ConnectionError:
                return True
            return False

        await assert_eventually(is_closed)


async def test_what_is_stored_may_be_sent_again_slowly(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is there at once; who sends on all the same is read to the end."""
    monkeypatch.setattr(server, "LINGER_S", 0.05)
    head = f"PUT {UPLOAD} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(SMALL)}\r\n\r\n"
    async with bench.gateway(http_listen="127.0.0.1:0") as gateway:
        host, _, port = gateway.http.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for again in (False, True):
            writer.write(head.encode())
            for start in range(0, len(SMALL), MIB):
                await asyncio.sleep(0.1 if again else 0)
                writer.write(SMALL[start : start + MIB])
                await writer.drain()
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            assert b"artifact" in await reader.readuntil(b"}}")
        writer.close()
