"""Renewed TLS files are taken up by servers and channels that run; no call is cut."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from soundsight_kit.certificates import BadCertificate, CertificateFiles, certificate_end
from soundsight_kit.channels import ClientTls, client_tls, open_channel
from soundsight_kit.renewal import RenewedChannel
from soundsight_kit.server import ServiceBinding
from soundsight_kit.settings import KitSettings
from soundsight_kit.testing import assert_eventually, certify, running_server

SOON_S = 60.0
"""For what comes within moments, or never."""
CHAT = "/test.Chat/Chat"


def renew(mounted: Path, days: int = 30) -> None:
    """Puts files by a new authority into place as the kubelet does: a link is swapped."""
    made = Path(tempfile.mkdtemp(dir=mounted.parent))
    certify(made, "own", "other", days=days)
    link = made / "link"
    link.symlink_to(made)
    link.replace(mounted)


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A folder that is a link to one with certificates, as in a pod."""
    renew(tmp_path / "tls")
    return tmp_path / "tls"


def settings(mounted: Path, who: str = "own") -> KitSettings:
    """Mutual TLS, and the authority of those who are called."""
    return KitSettings(
        listen="localhost:0",
        tls_certificate=mounted / f"{who}.pem",
        tls_key=mounted / f"{who}.key",
        tls_client_ca=mounted / "ca.pem",
        tls_server_ca=mounted / "ca.pem",
    )


async def shown_at(target: str) -> str:
    """The PEM certificate that a new connection is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, _, port = target.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    shown: ssl.SSLObject = writer.get_extra_info("ssl_object")
    der = shown.getpeercert(binary_form=True)
    writer.close()
    assert der is not None
    return ssl.DER_cert_to_PEM_cert(der)


def chat_binding() -> ServiceBinding:
    """A service that answers each message with the certificate of its sender."""

    async def chat(messages: AsyncIterator[bytes], context: Any) -> None:
        async for _ in messages:
            await context.write(context.auth_context()["x509_pem_cert"][0])

    def add(server: grpc.aio.Server) -> None:
        handlers: dict[str, Any] = {"Chat": grpc.stream_stream_rpc_method_handler(chat)}
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test.Chat", handlers),)
        )

    return ServiceBinding("test.Chat", add)


async def said(call: Any) -> bytes:
    """What the server answers to one message: the certificate that it was shown."""
    await call.write(b"who am I")
    answer = await asyncio.wait_for(call.read(), SOON_S)
    assert isinstance(answer, bytes)
    return answer


async def test_a_channel_and_a_server_take_up_new_files(mounted: Path) -> None:
    """After a renewal, authority included, calls of the same stub are proved by the new files both
    ways; a stream that is under way goes on over its own connection to its end."""
    former = (mounted / "other.pem").read_bytes()
    async with (
        running_server(chat_binding(), kit=settings(mounted)) as target,
        open_channel(target, client_tls(settings(mounted, "other"))) as channel,
    ):
        chat: Any = channel.stream_stream(CHAT)
        old = chat(timeout=SOON_S)
        assert await said(old) == former
        renew(mounted)
        assert await shown_at(target) == (mounted / "own.pem").read_text()
        new = chat(timeout=SOON_S)
        assert await said(new) == (mounted / "other.pem").read_bytes() != former
        assert await said(old) == former
        for call in (old, new):
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF
            assert await call.code() is grpc.StatusCode.OK


async def test_whom_the_former_authority_certified_is_a_stranger(mounted: Path) -> None:
    """With mutual TLS a renewed authority keeps out those whom it has not certified."""
    own = [(mounted / name).read_bytes() for name in ("other.pem", "other.key")]
    former_ca = (mounted / "ca.pem").read_bytes()
    async with running_server(chat_binding(), kit=settings(mounted)) as target:
        renew(mounted)
        tls = ClientTls(former_ca + (mounted / "ca.pem").read_bytes(), *own)
        async with open_channel(target, tls) as channel:
            call: Any = channel.stream_stream(CHAT)(timeout=SOON_S)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await said(call)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_former_channel_is_closed_with_its_last_call() -> None:
    """Not before, and one without calls at once."""
    opened: list[grpc.aio.Channel] = []
    proofs = ["one"]

    async with running_server() as target:

        def connect(proof: str) -> grpc.aio.Channel:
            opened.append(grpc.aio.insecure_channel(target))
            return opened[-1]

        async with RenewedChannel(lambda: proofs[-1], connect) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch
            call = watch(health_pb2.HealthCheckRequest(), timeout=SOON_S)
            await call.read()
            for proof in ("two", "three"):
                proofs.append(proof)
                channel.get_state()
            await assert_eventually(lambda: closed(opened[1]))
            assert not closed(opened[0])
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call.read()
            await assert_eventually(lambda: closed(opened[0]))
            assert not closed(opened[2])
        assert closed(opened[2])


def closed(channel: grpc.aio.Channel) -> bool:
    return channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN


async def test_half_of_a_renewal_is_not_taken_up(mounted: Path, tmp_path: Path) -> None:
    """A certificate without its key, or none, is told of once and changes nothing; a whole pair is
    taken up after it."""
    files = CertificateFiles(settings(mounted))
    former = files.present()
    certificate, key = mounted / "own.pem", mounted / "own.key"
    with capture_logs() as logs:
        (mounted / "other.pem").replace(certificate)
        assert files.present() is files.present() is former
    (line,) = logs
    assert (line["log_level"], line["event"]) == ("warning", "renewed TLS files are not used")
    with capture_logs() as logs:
        key.rename(tmp_path / "away")
        assert files.present() is files.present() is former
    assert [line["log_level"] for line in logs] == ["warning"]
    with capture_logs() as logs:
        (mounted / "other.key").replace(key)
        assert files.present().certificate == certificate.read_bytes() != former.certificate
    assert [line["log_level"] for line in logs] == ["info"]


def test_a_start_needs_a_pair_that_fits(mounted: Path) -> None:
    """A service does not start with a key of another certificate; the message names the files."""
    (mounted / "other.key").replace(mounted / "own.key")
    with pytest.raises(BadCertificate, match=r"own\.key"):
        CertificateFiles(settings(mounted))


async def test_the_metric_follows(mounted: Path) -> None:
    """It tells the end of the certificate that the last new connection was shown."""

    def told() -> float | None:
        labels = {"file": str(mounted / "own.pem")}
        return REGISTRY.get_sample_value("soundsight_tls_certificate_end_timestamp_seconds", labels)

    async with running_server(kit=settings(mounted)) as target:
        assert told() == end_by_openssl(mounted / "own.pem")
        renew(mounted, days=3)
        await shown_at(target)
        assert told() == end_by_openssl(mounted / "own.pem")


def end_by_openssl(certificate: Path) -> float:
    words = ["openssl", "x509", "-noout", "-enddate", "-in", str(certificate)]
    shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return ssl.cert_time_to_seconds(shown.strip().removeprefix("notAfter="))


@pytest.mark.parametrize("days", [1, 40_000])
def test_the_end_is_read_as_openssl_reads_it(tmp_path: Path, days: int) -> None:
    """In this half of the century, which certificates write in one way, and in the next century."""
    certify(tmp_path, "own", days=days)
    file = tmp_path / "own.pem"
    remark = "subject: Müller\n".encode()
    assert certificate_end(remark + file.read_bytes()) == end_by_openssl(file)
