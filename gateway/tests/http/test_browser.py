"""A real browser at the API: what its pages may do, and what pages of others must not."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web as server
from prometheus_client import REGISTRY

from soundsight_kit.media.ffmpeg import ffmpeg_binary
from soundsight_kit.testing import assert_eventually
from soundsight_kit.testing_links import bad_link

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STARTS_WITHIN_S: Final = 60.0
ANSWERS_WITHIN_S: Final = 60.0

WATCH: Final = """
window.opens = 0; window.numbers = []; window.problems = [];
window.source = new EventSource(PATH);
source.onopen = () => opens++;
source.addEventListener('stateChange', event => numbers.push(event.lastEventId));
source.addEventListener('problem', event => problems.push(event.data));
"""
STANDS: Final = "({opens, numbers, problems, closed: source.readyState === EventSource.CLOSED})"
PLAY: Final = """
(async () => {
    const video = document.createElement('video'), canvas = document.createElement('canvas');
    const happens = name => new Promise((resolve, reject) => {
        video.addEventListener(name, resolve, {once: true});
        video.addEventListener('error', () => reject(video.error.message), {once: true});
    });
    video.muted = true; video.preload = 'metadata'; video.src = PATH;
    await happens('loadedmetadata');
    const seeked = happens('seeked');
    video.currentTime = 0.75 * video.duration;
    await seeked;
    await video.play();
    await happens('timeupdate');
    const at = video.currentTime;
    video.pause();
    canvas.width = canvas.height = 8;
    const drawing = canvas.getContext('2d');
    drawing.drawImage(video, 0, 0, 8, 8);
    const {buffered} = video, loaded = [...Array(buffered.length).keys()].map(
        index => buffered.end(index) - buffered.start(index));
    const pixel = [...drawing.getImageData(4, 4, 1, 1).data];
    return {at, loaded, pixel, duration: video.duration};
})()
"""
RUNS: Final = "<!doctype html><title>still</title><script>fetch('/healthz?it-ran')</script>"
SVG: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("/healthz?it-ran")</script></svg>'
)


class Page:
    """A page in a browser, led by the Chrome DevTools Protocol.

    Args:
        socket: to the browser.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._session = ""

    async def attach(self) -> None:
        """Makes the page."""
        made = await self._send("Target.createTarget", url="about:blank")
        attached = await self._send(
            "Target.attachToTarget", targetId=made["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        await self._send("Page.enable")

    async def open(self, url: str) -> str:
        """Goes to a URL; gives why it could not, if so."""
        went = await self._send("Page.navigate", url=url)
        if "errorText" in went:
            return str(went["errorText"])
        await assert_eventually(self._is_complete, within_s=ANSWERS_WITHIN_S)
        return ""

    async def run(self, script: str, path: str = "") -> Any:
        """Runs a script in the page, with a path for PATH; gives what it comes to."""
        ended = await self._send(
            "Runtime.evaluate", expression=script.replace("PATH", json.dumps(path)),
            awaitPromise=True, returnByValue=True, userGesture=True,
        )  # fmt: skip
        assert "exceptionDetails" not in ended, ended
        return ended["result"].get("value")

    async def _is_complete(self) -> bool:
        return bool(await self.run("document.readyState === 'complete'"))

    async def _send(self, command: str, **parameters: Any) -> Any:
        number = next(self._ids)
        message = {"id": number, "method": command, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        await self._socket.send_json(message)
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            while (answer := await self._socket.receive_json()).get("id") != number:
                pass  # Events, which nobody here waits for.
        assert "error" not in answer, answer
        return answer["result"]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page in a browser with a new profile, to which rebound.example is this machine."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium here; Debian's package chromium has one")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            f"--user-data-dir={profile}", "--remote-debugging-port=0",
            "--host-resolver-rules=MAP rebound.example 127.0.0.1", "about:blank",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = Path(profile, "DevToolsActivePort")
            await assert_eventually(
                lambda: port.exists() and port.read_text().count("\n") == 1,
                within_s=STARTS_WITHIN_S,
            )
            number, path = port.read_text().split("\n")
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(f"ws://127.0.0.1:{number}{path}", max_msg_size=0) as socket,
            ):
                made = Page(socket)
                await made.attach()
                yield made
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@asynccontextmanager
async def foreign_site(html: str) -> AsyncIterator[tuple[str, list[str]]]:
    """Somebody else's site: every page is the same; yields its URL, and what it was asked for."""
    asked: list[str] = []

    async def answer(request: server.Request) -> server.Response:
        asked.append(request.path_qs)
        return server.Response(text=html, content_type="text/html")

    app = server.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = server.AppRunner(app)
    await runner.setup()
    site = server.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://localhost:{runner.addresses[0][1]}/", asked
    finally:
        await runner.cleanup()


def answered(route: str, status: int) -> float:
    """How many answers of a status a route has given so far."""
    samples = (sample for metric in REGISTRY.collect() for sample in metric.samples)
    return sum(
        sample.value
        for sample in samples
        if sample.name == "soundsight_http_responses_total"
        and sample.labels["route"].endswith(route)
        and sample.labels["status"] == str(status)
    )


async def test_an_event_source_misses_nothing(
    web: Any, bench: Any, page: Page, song: bytes
) -> None:
    """A page gets every state change once and in order over a connection that breaks, and over one
    that is away while the render ends; then it is told that there is no more, and asks no more."""
    bench.services.analyzer.may_finish.clear()
    render = await web.create(await web.upload(song))
    ended = answered(":watch", 204)
    async with bad_link(web.gateway.http.removeprefix("http://")) as link:
        assert not await page.open(f"http://{link.target}/healthz")
        await page.run(WATCH, f"/v1/{render['name']}:watch")

        async def stands() -> Any:
            return await page.run(STANDS)

        async def has_come() -> bool:
            return len((await stands())["numbers"]) >= 3

        async def came_again() -> bool:
            return bool((await stands())["opens"] >= 2)

        async def is_closed() -> bool:
            return bool((await stands())["closed"])

        await assert_eventually(has_come)
        link.cut()
        await assert_eventually(came_again)
        link.down = True
        link.cut()
        bench.services.analyzer.may_finish.set()
        final = await web.gateway.ended(render["name"])
        link.heal()
        await assert_eventually(is_closed)
        told = await stands()
    assert told["numbers"] == [str(number + 1) for number in range(final.sequence)]
    assert not told["problems"]
    assert answered(":watch", 204) == ended + 1


async def test_a_video_plays_and_seeks(web: Any, page: Page, tmp_path: Path) -> None:
    """A page plays a film from its middle on without taking all that lies before."""
    film = tmp_path / "film.mp4"
    filters = "[0][1]concat,noise=alls=30:allf=t"
    subprocess.run(
        [
            ffmpeg_binary(), "-nostdin", "-v", "error",
            *("-f", "lavfi", "-i", "color=red:s=640x360:d=10:r=24"),
            *("-f", "lavfi", "-i", "color=blue:s=640x360:d=10:r=24"),
            "-filter_complex", filters, "-c:v", "libx264", "-preset", "ultrafast", "-qp", "32",
            "-pix_fmt", "yuv420p", "-movflags", "+faststart", film,
        ],
        check=True,
        timeout=120,
    )  # fmt: skip
    data = film.read_bytes()
    headers = {"Content-Type": "video/mp4"}
    stored = await web.ask("PUT", "/v1/projects/demo/uploads/film-0001", data=data, headers=headers)
    assert not await page.open(f"{web.gateway.http}/healthz")
    uri = stored.json["artifact"]["uri"]
    shown = await page.run(PLAY, f"/v1/projects/demo/artifacts:download?uri={uri}")
    assert shown["duration"] == pytest.approx(20, abs=0.1)
    assert shown["at"] >= 15
    red, _, blue, _ = shown["pixel"]
    assert blue > red
    assert sum(shown["loaded"]) < 12


async def test_pages_of_others_can_do_nothing(
    web: Any, bench: Any, page: Page, song: bytes
) -> None:
    """A page of another origin can neither stop a render, which takes no more than a request that
    any page may send, nor watch one, nor read anything."""
    bench.services.analyzer.may_finish.clear()
    name = (await web.create(await web.upload(song)))["name"]
    refused = answered(":cancel", 403), answered(":watch", 403)
    async with foreign_site("<title>foreign</title>") as (url, _):
        assert not await page.open(url)
        stop = "fetch(PATH, {method: 'POST', mode: 'no-cors'}).then(answer => answer.type)"
        assert await page.run(stop, f"{web.gateway.http}/v1/{name}:cancel") == "opaque"
        read = "fetch(PATH).then(answer => answer.text(), () => 'nothing')"
        assert await page.run(read, f"{web.gateway.http}/v1/{name}") == "nothing"
        await page.run(WATCH, f"{web.gateway.http}/v1/{name}:watch")

        async def is_closed() -> bool:
            return bool((await page.run(STANDS))["closed"])

        await assert_eventually(is_closed)
    assert (answered(":cancel", 403), answered(":watch", 403)) == tuple(n + 1 for n in refused)
    assert (await web.ask("GET", f"/v1/{name}")).json["state"] != "RENDER_STATE_CANCELLED"
    assert (await web.ask("POST", f"/v1/{name}:cancel")).status == 200


async def test_a_name_that_leads_here_is_not_this_host(web: Any, page: Page) -> None:
    """A page of a name that its owner made to lead to this machine gets nothing either."""
    port = web.gateway.http.rpartition(":")[2]
    assert not await page.open(f"http://rebound.example:{port}/v1/projects/demo/renders")
    assert json.loads(await page.run("document.body.innerText"))["status"] == 421


@pytest.mark.parametrize(
    ("media_type", "text"),
    [
        ("text/html", RUNS),
        ("application/xhtml+xml", RUNS.replace("<!doctype html>", "")),
        ("image/svg+xml", SVG),
        ("text/xml", SVG),
        ("application/json", RUNS),
        ("video/mp4", RUNS),
        ("image/png", SVG),
        ("application/octet-stream", RUNS),
    ],
)
async def test_uploads_run_nothing(web: Any, page: Page, media_type: str, text: str) -> None:
    """Whatever an uploaded file is called, no script in it runs when somebody opens it."""
    stored = await web.ask(
        "PUT", "/v1/projects/demo/uploads/page-0001", data=text.encode(),
        headers={"Content-Type": media_type},
    )  # fmt: skip
    path = f"/v1/projects/demo/artifacts:download?uri={stored.json['artifact']['uri']}"
    assert not await page.open(f"{web.gateway.http}/healthz")
    before = answered("/healthz", 200)
    await page.open(f"{web.gateway.http}{path}")
    in_frame = """new Promise(resolve => {
        const frame = document.createElement('iframe'); frame.src = PATH;
        frame.onload = resolve; (document.body || document.documentElement).append(frame);
        setTimeout(resolve, 300);
    })"""
    await page.run(in_frame, path)
    assert answered("/healthz", 200) == before


async def test_such_a_page_does_run_elsewhere(page: Page) -> None:
    """The page of which nothing runs here is one that a browser runs, from a site that gives it."""
    async with foreign_site(RUNS) as (url, asked):
        assert not await page.open(url)
        await assert_eventually(lambda: "/healthz?it-ran" in asked)
