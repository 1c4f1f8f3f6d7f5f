"""The addresses that a name in DNS resolves to, such as the pods of a headless Service.

The system's resolver is asked: it knows the pod's search domains. It does not tell how long an
answer holds, so it is asked again every few seconds.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from soundsight_gateway.discovery.source import Addresses
from soundsight_gateway.discovery.targets import Address, DnsTarget, host_port
from soundsight_kit.logs import log

LOOK_AGAIN_S: Final = 5.0

_NO_SUCH_NAME: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5)})
"""Answers that say: there is none. A headless Service without ready pods gives them."""

Lookup = Callable[[str], Awaitable[list[str]]]
"""Gives the IP addresses of a name. Raises socket.gaierror."""


class DnsSource:
    """Follows one name.

    Args:
        target: the name, and the port behind each of its addresses.
        lookup: asks for the addresses of a name.
        look_again_s: the pause between two questions, spread by a tenth; LOOK_AGAIN_S when None.
    """

    def __init__(
        self, target: DnsTarget, lookup: Lookup | None = None, look_again_s: float | None = None
    ) -> None:
        self._target = target
        self._lookup = lookup or system_lookup
        self._look_again_s = look_again_s or LOOK_AGAIN_S

    async def follow(self) -> AsyncGenerator[Addresses, None]:
        """Yields the addresses whenever they have changed. An answer that fails changes nothing."""
        known: Addresses | None = None
        complaint = ""
        while True:
            try:
                found = await self._look()
            except OSError as error:
                if str(error) != complaint:
                    complaint = str(error)
                    log.warning("name does not resolve", name=self._target.name, why=complaint)
            else:
                complaint = ""
                if found != known:
                    known = found
                    yield found
            await asyncio.sleep(self._look_again_s * random.uniform(0.9, 1.1))

    async def _look(self) -> Addresses:
        name = self._target.name
        try:
            hosts = await self._lookup(name)
        except socket.gaierror as error:
            if error.errno not in _NO_SUCH_NAME:
                raise
            hosts = []
        return frozenset(
            Address(host_port(host, self._target.port), server_name=name.rstrip("."))
            for host in hosts
        )


async def system_lookup(name: str) -> list[str]:
    """Asks the system's resolver. Raises socket.gaierror."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]
