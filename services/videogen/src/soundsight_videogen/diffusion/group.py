"""Several processes that film one clip together, each on a device of its own.

Each holds the whole model, is given the same orders and does the same; within the transformer each
computes its part of the sequence (`features/parallel.py`). They must never come apart: what one of
them knows alone, such as that the clip is to be stopped, it shares before anybody acts on it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from soundsight_kit.errors import FailedPrecondition
from soundsight_videogen.diffusion.libraries import torch

_HOST = "127.0.0.1"
_LOOPBACK = "lo"
# Whether one of them hangs is for the server to say, which sees the steps.
_FOREVER = timedelta(days=7)


class Group:
    """The place of this process among the `size` that film together; that of rank 0 leads.

    The leader alone hears from the server and writes clips. A group of one is a process by itself,
    and needs no torch.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        if not 0 <= rank < size:
            raise ValueError(f"there is no rank {rank} among {size}")
        self.rank = rank
        self.size = size
        self._port = 0
        self._store: Any = None
        self._joined = False

    @property
    def leads(self) -> bool:
        """Whether this process hears from the server and writes clips."""
        return self.rank == 0

    def open(self) -> int:
        """The leader's: the port, on this machine alone, at which the others find it."""
        if self._store is None:
            # Bound here: PyTorch itself would listen on all of the machine's addresses.
            listening = socket.create_server((_HOST, 0))
            self._port = listening.getsockname()[1]
            self._store = self._meeting(master_listen_fd=listening.detach())
        return self._port

    def find(self, port: int) -> None:
        """The others': where the leader is."""
        self._port = port

    def join(self, device: str) -> str:
        """Waits until all are there, the first time; returns which device is this process's.

        Raises FailedPrecondition (FEATURE_WITHOUT_EFFECT) where devices lack.
        """
        if self.size == 1:
            return device
        own, backend = device, "gloo"
        if device.startswith("cuda"):
            own, backend = f"cuda:{self.rank}", "cpu:gloo,cuda:nccl"
        if not self._joined:
            self._check_devices(own)
            self._join(backend)
        return own

    def agreed(self, stopped: Callable[[], bool]) -> Callable[[], bool]:
        """What the leader says of `stopped`, for all of them: each must ask as often as it does."""
        if self.size == 1:
            return stopped

        def ask() -> bool:
            said = torch().tensor([self.leads and stopped()])
            torch().distributed.broadcast(said, src=0)
            return bool(said)

        return ask

    def _join(self, backend: str) -> None:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", _LOOPBACK)
        store = self._store if self.leads else self._meeting()
        torch().distributed.init_process_group(
            backend, store=store, rank=self.rank, world_size=self.size, timeout=_FOREVER
        )
        self._joined = True

    def _meeting(self, **listening: int) -> Any:
        return torch().distributed.TCPStore(
            _HOST,
            self._port,
            self.size,
            is_master=self.leads,
            timeout=_FOREVER,
            wait_for_workers=False,
            **listening,
        )

    def _check_devices(self, own: str) -> None:
        if not own.startswith("cuda"):
            return
        there = torch().cuda.device_count()
        if there < self.size:
            raise FailedPrecondition(
                f"clips are to be filmed on {self.size} GPUs together and this worker has {there}: "
                "correct SOUNDSIGHT_VIDEOGEN_DEVICES",
                reason="FEATURE_WITHOUT_EFFECT",
            )
        torch().cuda.set_device(own)


ALONE = Group()
