"""What tells of a changing set of addresses."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from soundsight_gateway.discovery.targets import Address

Addresses = frozenset[Address]


class Source(Protocol):
    """A changing set of addresses."""

    def follow(self) -> AsyncGenerator[Addresses, None]:
        """Yields the whole set once it is known and whenever it has changed, without end.

        While the set cannot be learned, the one that was yielded last holds.
        """
        ...
