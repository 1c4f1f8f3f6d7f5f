"""A channel that follows renewed certificates: gRPC's own keeps those it was opened with."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

import grpc

ProofT = TypeVar("ProofT")


class RenewedChannel(grpc.aio.Channel, Generic[ProofT]):
    """A channel that is opened anew once its proof has changed; calls under way stay on the old.

    Looks when a call begins. The old channel is closed with the last of its calls. State is that
    of the channel which the next call takes.

    Args:
        proof: gives what to prove oneself with now.
        connect: opens a channel that does so.
    """

    def __init__(
        self, proof: Callable[[], ProofT], connect: Callable[[ProofT], grpc.aio.Channel]
    ) -> None:
        self._proof = proof
        self._connect = connect
        self._shown = proof()
        self._present = connect(self._shown)
        self._under_way: Counter[grpc.aio.Channel] = Counter()
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def present(self) -> grpc.aio.Channel:
        """The channel for a call that begins now."""
        proof = self._proof()
        if proof != self._shown and not self._is_closed:
            former, self._present, self._shown = self._present, self._connect(proof), proof
            self._close_unless_busy(former)
        return self._present

    def began(self, call: Any, channel: grpc.aio.Channel) -> None:
        """Counts a call until it ends."""
        self._under_way[channel] += 1

        def ended(_: Any) -> None:
            self._under_way[channel] -= 1
            if channel is not self._present and not self._is_closed:
                self._close_unless_busy(channel)

        call.add_done_callback(ended)

    def _close_unless_busy(self, former: grpc.aio.Channel) -> None:
        if self._under_way[former]:
            return
        del self._under_way[former]
        closing = asyncio.get_running_loop().create_task(former.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        self._is_closed = True
        channels = {self._present, *self._under_way}
        await asyncio.gather(*(channel.close(grace) for channel in channels), *self._closing)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self.present().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self.present().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self.present().channel_ready()

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _RenewedCallable(self, lambda channel: channel.unary_unary(*args, **kwargs))

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _RenewedCallable(self, lambda channel: channel.unary_stream(*args, **kwargs))

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _RenewedCallable(self, lambda channel: channel.stream_unary(*args, **kwargs))

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _RenewedCallable(self, lambda channel: channel.stream_stream(*args, **kwargs))


class _RenewedCallable:
    """Starts calls of one method on the channel of the moment."""

    def __init__(
        self,
        channels: RenewedChannel[Any],
        method_of: Callable[[grpc.aio.Channel], Callable[..., Any]],
    ) -> None:
        self._channels = channels
        self._method_of = method_of

    def __call__(self, *request: Any, **kwargs: Any) -> Any:
        channel = self._channels.present()
        call = self._method_of(channel)(*request, **kwargs)
        self._channels.began(call, channel)
        return call
