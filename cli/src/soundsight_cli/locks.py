"""Locks between processes that the kernel releases when their holder dies.

`flock` rather than a lock file library, because the suite needs shared locks:
every command holds the lease shared, and the supervisor takes it exclusively to
learn that nobody uses the suite any more.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Holds a shared lock, waiting while another process holds it exclusively."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds an exclusive lock, waiting for every other holder."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def exclusive_if_free(path: Path) -> Iterator[bool]:
    """Holds an exclusive lock if nobody else holds any; yields whether it does."""
    with exclusive_to_hand_on(path) as descriptor:
        yield descriptor is not None


@contextmanager
def exclusive_to_hand_on(path: Path) -> Iterator[int | None]:
    """Holds an exclusive lock if nobody else holds any, and yields its descriptor.

    A child that is given the descriptor holds the lock too, until it ends. Yields None when
    somebody else holds the lock.
    """
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    # Not inheritable (Python's default): a child keeps the lock only if it is handed on.
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
