"""Web pages of others cannot use a browser to call this API."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest

LIST = "/v1/projects/demo/renders"


@pytest.fixture
def ask(bench: Any) -> Callable[..., Coroutine[Any, Any, tuple[int, str]]]:
    """Asks a gateway with some HTTP_HOSTS; returns the status and the reason."""

    async def asked(*hosts: str, **headers: str) -> tuple[int, str]:
        async with (
            bench.gateway(http_listen="127.0.0.1:0", http_hosts=hosts) as gateway,
            aiohttp.ClientSession(gateway.http) as session,
            session.get(LIST, headers=headers) as response,
        ):
            return response.status, (await response.json(content_type=None)).get("reason", "")

    return asked


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.8.8.8:1", "[::1]:80"]
)
async def test_on_loopback_it_answers_for_this_machine(ask: Any, host: str) -> None:
    """By each of its names."""
    assert await ask(Host=host) == (200, "")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1", "[::1", ""])
async def test_a_name_that_was_made_to_lead_here_is_refused(ask: Any, host: str) -> None:
    """DNS rebinding: the browser believes the page's own host to be meant."""
    assert await ask(Host=host) == (421, "FOREIGN_HOST")


async def test_named_hosts_are_the_only_ones(ask: Any) -> None:
    """Loopback included, once others are named."""
    assert await ask("render.example.org", Host="render.example.org:8443") == (200, "")
    assert await ask("render.example.org", Host="127.0.0.1") == (421, "FOREIGN_HOST")
    assert await ask("Render.Example.org", Host="render.example.ORG") == (200, "")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1:3000", "null", "file://", "http://[", ""]
)
async def test_pages_of_others_are_refused(ask: Any, origin: str) -> None:
    """Whatever a browser says of where they come from."""
    assert await ask(Origin=origin) == (403, "FOREIGN_ORIGIN")


async def test_pages_of_the_same_host_may_call(ask: Any) -> None:
    """Behind a proxy that serves both, or changed the host, too."""
    assert await ask(Origin="http://127.0.0.1:80", Host="127.0.0.1:80") == (200, "")
    named = ("render.example.org", "inside")
    assert await ask(*named, Origin="https://render.example.org", Host="inside") == (200, "")


async def test_bodies_are_taken_as_they_are(ask: Any) -> None:
    """No packed body is unpacked: a small one could become endless."""
    assert await ask(**{"Content-Encoding": "gzip"}) == (415, "CONTENT_ENCODING")
