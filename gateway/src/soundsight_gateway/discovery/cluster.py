"""The API server of Kubernetes: the three requests that are made of it, and how they fail.

Responses are read as JSON, not into the client's models, which refuse objects that a newer server
may send. The client is imported when it is needed: it takes a second and 40 MB.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from soundsight_gateway.discovery.slices import SERVICE_LABEL, Slice
from soundsight_gateway.discovery.targets import Pod
from soundsight_kit.errors import FailedPrecondition
from soundsight_kit.retryafter import retry_after_s

if TYPE_CHECKING:
    from aiohttp import ClientResponse

IN_CLUSTER: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token, its namespace and the authority of the API server."""
REQUEST_TIMEOUT_S: Final = 15.0
PAGE: Final = 500
"""Slices per answer of a list."""

_MOST_WORDS: Final = 300


class ClusterError(Exception):
    """The API server refused, or did not answer as it should.

    `status` is the HTTP status, 0 where there is none; `retry_after_s` is what was asked for.
    """

    def __init__(self, message: str, status: int = 0, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class Cluster:
    """The cluster that this gateway belongs to, or that its kubeconfig names.

    Args:
        folder: where a pod's token lies.
        request_timeout_s: how long one request, other than a watch, may take.

    Raises FailedPrecondition when the client is not installed.
    """

    def __init__(
        self, folder: Path = IN_CLUSTER, request_timeout_s: float = REQUEST_TIMEOUT_S
    ) -> None:
        try:
            import kubernetes.aio.client
            import kubernetes.aio.config
        except ImportError:
            raise FailedPrecondition(
                "endpoints kubernetes:///... need the Kubernetes client: install "
                "soundsight-gateway[kubernetes]",
                reason="NO_KUBERNETES_CLIENT",
            ) from None
        # Only parts of the client say what types they are of.
        self._kubernetes: Any = kubernetes.aio.client
        self._config: Any = kubernetes.aio.config
        self._folder = folder
        self._request_timeout_s = request_timeout_s
        self._api: Any = None
        self._namespace = "default"
        self._entering = asyncio.Lock()
        self._outdated = False

    async def namespace(self) -> str:
        """The gateway's own namespace. Raises ClusterError."""
        await self._client()
        return self._namespace

    async def list_slices(self, namespace: str, service: str) -> tuple[list[Slice], str]:
        """The EndpointSlices of a Service, and the version of the cluster at which they were so.

        Raises ClusterError; with 410 when the list changed too much to be read to its end.
        """
        items: list[Slice] = []
        more: dict[str, Any] = {}
        while True:
            async with self._slices(namespace, service, limit=PAGE, **more) as response:
                async with asyncio.timeout(self._request_timeout_s):
                    page = await _json(response)
            items += page.get("items") or ()
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return items, str(metadata.get("resourceVersion", ""))
            more = {"_continue": metadata["continue"]}

    async def watch_slices(
        self, namespace: str, service: str, version: str, seconds: int
    ) -> AsyncGenerator[dict[str, Any], None]:
        """What happens to the slices of a Service after a version, as watch events.

        Ends after about `seconds`, or when the server ends it, be it in the middle of an event: the
        next watch from the last version begins with that. Raises ClusterError.
        """
        async with self._slices(
            namespace,
            service,
            watch=True,
            resource_version=version,
            allow_watch_bookmarks=True,
            timeout_seconds=seconds,
            # A server that has vanished says nothing; one that lives ends the watch itself.
            _request_timeout=seconds + self._request_timeout_s,
        ) as response:
            buffer = b""
            async for chunk, _ in response.content.iter_chunks():
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    yield _event(line)

    async def annotate(self, pod: Pod, key: str, value: str) -> None:
        """Sets an annotation of a pod. Raises ClusterError; with 404 when there is no such pod."""
        body = {"metadata": {"annotations": {key: value}}}
        api = self._kubernetes.CoreV1Api(await self._client())
        with _faults():
            response = await api.patch_namespaced_pod_without_preload_content(
                pod.name,
                pod.namespace,
                body,
                _content_type="application/merge-patch+json",
                _request_timeout=self._request_timeout_s,
            )
            async with response:
                await self._check(response)

    async def close(self) -> None:
        """Closes all connections."""
        api, self._api = self._api, None
        if api is not None:
            await api.close()

    @asynccontextmanager
    async def _slices(
        self, namespace: str, service: str, **options: Any
    ) -> AsyncIterator[ClientResponse]:
        api = self._kubernetes.DiscoveryV1Api(await self._client())
        options.setdefault("_request_timeout", self._request_timeout_s)
        with _faults():
            response = await api.list_namespaced_endpoint_slice_without_preload_content(
                namespace, label_selector=f"{SERVICE_LABEL}={service}", **options
            )
            async with response:
                await self._check(response)
                yield response

    async def _check(self, response: ClientResponse) -> None:
        if response.status == 401:
            # The token is no longer good. The next request reads it anew.
            self._outdated = True
        if response.status >= 300:
            raise ClusterError(
                await _words(response),
                response.status,
                retry_after_s(response.headers.get("Retry-After")),
            )

    async def _client(self) -> Any:
        async with self._entering:
            if self._outdated:
                await self.close()
                self._outdated = False
            if self._api is None:
                configuration = self._kubernetes.Configuration()
                try:
                    await self._configure(configuration)
                except Exception as error:  # a loader raises whatever makes it stumble
                    raise ClusterError(
                        f"no cluster to ask: {error}; run in a pod, or name a kubeconfig in "
                        "KUBECONFIG"
                    ) from error
                self._api = self._kubernetes.ApiClient(configuration)
            return self._api

    async def _configure(self, configuration: Any) -> None:
        """A kubeconfig that is named goes first, then the pod's own account, then the user's."""
        in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ
        if in_pod:
            loader = self._config.incluster_config.InClusterConfigLoader(
                str(self._folder / "token"), str(self._folder / "ca.crt")
            )
            loader.load_and_set(configuration)
            self._namespace = (self._folder / "namespace").read_text().strip()
        else:
            file = os.environ.get("KUBECONFIG", "~/.kube/config")
            await self._config.load_kube_config(file, client_configuration=configuration)
            _, active = self._config.list_kube_config_contexts(file)
            self._namespace = active["context"].get("namespace") or "default"


@contextmanager
def _faults() -> Iterator[None]:
    """Turns whatever a broken connection raises into a ClusterError."""
    import aiohttp

    try:
        yield
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        why = str(error) or "it took too long"
        raise ClusterError(f"the API server does not answer: {why}") from error


async def _json(response: ClientResponse) -> dict[str, Any]:
    body = await response.read()
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise ClusterError("the API server's answer is no JSON object", response.status)
    return parsed


def _event(line: bytes) -> dict[str, Any]:
    """A watch event. Raises ClusterError for one that is none, or that tells of an error."""
    try:
        event: dict[str, Any] = json.loads(line)
        kind, subject = event["type"], event["object"]
        if kind != "ERROR":
            subject["metadata"]["resourceVersion"]
    except (ValueError, KeyError, TypeError):
        raise ClusterError("the API server sent what is no event") from None
    if kind == "ERROR":
        raise ClusterError(str(subject.get("message", "")), int(subject.get("code") or 0))
    return event


async def _words(response: ClientResponse) -> str:
    """What the API server says of an error, in a line."""
    body = await response.read()
    try:
        said = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        said = response.reason or "no reason given"
    return f"{response.status}: {str(said)[:_MOST_WORDS]}"
