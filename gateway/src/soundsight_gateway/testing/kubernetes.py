"""The part of Kubernetes' API that the gateway uses, by script: EndpointSlices and pods.

It keeps versions and a history, so that lists and watches agree as a real server's do, and can be
told to misbehave in the ways that real ones do.
"""

from __future__ import annotations

import asyncio
import json
import math
import ssl
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Misbehaviour = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
"""Answers a request in place of the server, or leaves it to it by returning None."""


def endpoint(
    address: str, pod: str = "", namespace: str = "media", **conditions: bool
) -> dict[str, Any]:
    """One endpoint of a slice; ready unless `conditions` say otherwise."""
    made: dict[str, Any] = {"addresses": [address], "conditions": conditions or {"ready": True}}
    if pod:
        made["targetRef"] = {"kind": "Pod", "name": pod, "namespace": namespace}
    return made


class ScriptedCluster:
    """The state of a cluster, and the server's manners."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        """How often each of list, watch and patch was asked for."""
        self.refused: Counter[int] = Counter()
        """Refusals, by HTTP status."""
        self.sent: Counter[str] = Counter()
        """Events that watchers were sent, by kind."""
        self.annotations: dict[str, dict[str, str]] = {}
        """Annotations by pod; pods that are not here do not exist."""
        self.patches: list[tuple[str, dict[str, str]]] = []
        self.token: str | None = None
        """The bearer token that requests must show, if any."""
        self.misbehaviours: deque[Misbehaviour] = deque()
        """What happens to the next requests, one each."""
        self.page = 100
        """Most items in an answer to a list."""
        self._version = 100
        self._oldest = 100
        self._slices: dict[tuple[str, str], dict[str, Any]] = {}
        self._history: list[tuple[int, str, dict[str, Any]]] = []
        self._news = asyncio.Condition()
        self._watchers: list[web.Request] = []
        self._ends = 0

    def slices(self, namespace: str, service: str) -> list[dict[str, Any]]:
        """The slices of a Service."""
        return [
            one
            for (space, _), one in sorted(self._slices.items())
            if space == namespace and one["metadata"]["labels"][_SERVICE] == service
        ]

    async def put(
        self,
        name: str,
        endpoints: list[dict[str, Any]] | None,
        *,
        service: str = "videogen",
        namespace: str = "media",
        kind: str = "IPv4",
        ports: tuple[tuple[str, int], ...] = (("grpc", 7003),),
    ) -> None:
        """Creates or replaces a slice."""
        one = {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {_SERVICE: service},
            },
            "addressType": kind,
            "endpoints": endpoints,
            "ports": [{"name": label, "port": number} for label, number in ports],
        }
        event = "MODIFIED" if (namespace, name) in self._slices else "ADDED"
        self._slices[namespace, name] = one
        await self._happened(event, one)

    async def delete(self, name: str, namespace: str = "media") -> None:
        """Deletes a slice, if it is there."""
        one = self._slices.pop((namespace, name), None)
        if one is not None:
            await self._happened("DELETED", json.loads(json.dumps(one)))

    async def bookmark(self) -> None:
        """Tells watchers of a version at which nothing of theirs happened."""
        await self._happened("BOOKMARK", {"metadata": {}})

    async def forget(self) -> None:
        """Forgets its history: watches from versions before now get 410."""
        self._version += 1
        self._oldest = self._version
        self._history.clear()

    async def end_watches(self) -> None:
        """Ends all watches in an orderly way."""
        async with self._news:
            self._ends += 1
            self._news.notify_all()

    def drop_connections(self) -> None:
        """Breaks all watches off."""
        for request in list(self._watchers):
            if request.transport is not None:
                request.transport.abort()

    async def serve_list(self, request: web.Request) -> web.StreamResponse:
        """GET of the slices of a namespace, listed or watched."""
        watch = request.query.get("watch") in ("true", "True", "1")
        self.requests["watch" if watch else "list"] += 1
        if (answer := await self._manners(request)) is not None:
            return answer
        namespace = request.match_info["namespace"]
        label, _, service = request.query["labelSelector"].partition("=")
        assert label == _SERVICE
        if watch:
            return await self._watch(request, namespace, service)
        items = self.slices(namespace, service)
        start, _, at = request.query.get("continue", f"0@{self._version}").partition("@")
        if int(at) < self._oldest:
            return self.refusal(410, "the continue token is too old")
        page = items[int(start) : int(start) + self.page]
        more = int(start) + self.page < len(items)
        metadata = {"resourceVersion": at}
        if more:
            metadata["continue"] = f"{int(start) + self.page}@{at}"
        return web.json_response({"kind": "EndpointSliceList", "metadata": metadata, "items": page})

    async def serve_patch(self, request: web.Request) -> web.StreamResponse:
        """PATCH of a pod."""
        self.requests["patch"] += 1
        if (answer := await self._manners(request)) is not None:
            return answer
        pod = request.match_info["pod"]
        if pod not in self.annotations:
            return self.refusal(404, f'pods "{pod}" not found')
        assert request.content_type == "application/merge-patch+json"
        changed = (await request.json())["metadata"]["annotations"]
        self.annotations[pod].update(changed)
        self.patches.append((pod, changed))
        return web.json_response({"kind": "Pod", "metadata": {"name": pod}})

    def refusal(self, status: int, message: str = "no", **headers: str) -> web.Response:
        """An error as the API server words it."""
        self.refused[status] += 1
        body = {"kind": "Status", "code": status, "message": message}
        return web.json_response(body, status=status, headers=headers)

    def refuse(self, status: int, **headers: str) -> Misbehaviour:
        """A refusal for one of the next requests."""

        async def answer(request: web.Request) -> web.StreamResponse:
            return self.refusal(status, **headers)

        return answer

    async def _manners(self, request: web.Request) -> web.StreamResponse | None:
        if self.token is not None and request.headers.get("Authorization", "") not in (
            f"Bearer {self.token}",
            f"bearer {self.token}",
        ):
            return self.refusal(401, "Unauthorized")
        if self.misbehaviours:
            return await self.misbehaviours.popleft()(request)
        return None

    async def _watch(
        self, request: web.Request, namespace: str, service: str
    ) -> web.StreamResponse:
        seen = int(request.query["resourceVersion"])
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        self._watchers.append(request)
        ends = self._ends
        until = asyncio.get_running_loop().time() + float(request.query["timeoutSeconds"])
        try:
            while True:
                if seen < self._oldest:
                    gone = {"kind": "Status", "code": 410, "message": "too old resource version"}
                    await self._send(response, "ERROR", gone)
                    return response
                for version, kind, subject in [e for e in self._history if e[0] > seen]:
                    seen = version
                    wanted = (
                        subject["metadata"].get("namespace") == namespace
                        and subject["metadata"]["labels"][_SERVICE] == service
                    )
                    if wanted or kind == "BOOKMARK":
                        await self._send(response, kind, subject)
                async with self._news:
                    left_s = until - asyncio.get_running_loop().time()
                    if left_s <= 0 or self._ends != ends:
                        return response
                    if self._version == seen or not any(e[0] > seen for e in self._history):
                        try:
                            await asyncio.wait_for(self._news.wait(), left_s)
                        except TimeoutError:
                            return response
        except ConnectionError:
            return response
        finally:
            self._watchers.remove(request)

    async def _send(self, response: web.StreamResponse, kind: str, subject: dict[str, Any]) -> None:
        await response.write(json.dumps({"type": kind, "object": subject}).encode() + b"\n")
        self.sent[kind] += 1

    async def _happened(self, kind: str, subject: dict[str, Any]) -> None:
        async with self._news:
            self._version += 1
            subject["metadata"]["resourceVersion"] = str(self._version)
            self._history.append((self._version, kind, json.loads(json.dumps(subject))))
            self._news.notify_all()


_SERVICE = "kubernetes.io/service-name"


async def break_off(request: web.Request) -> web.StreamResponse:
    """Answers nothing and closes the connection."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def half_an_event(request: web.Request) -> web.StreamResponse:
    """Begins to answer, and breaks off in the middle of a line."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"type": "ADDED", "object": {"metadata": {"na')
    if request.transport is not None:
        request.transport.abort()
    return response


async def half_an_event_politely(request: web.Request) -> web.StreamResponse:
    """Begins to answer, and ends the answer in the middle of a line."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"type": "ADDED", "object": {"metadata": {"na')
    return response


async def nonsense(request: web.Request) -> web.StreamResponse:
    """Answers with a line that is no JSON."""
    return web.Response(text="<html>a proxy speaks</html>\n")


@asynccontextmanager
async def scripted_cluster(
    cluster: ScriptedCluster, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serves a cluster on loopback; yields its address, such as `http://127.0.0.1:4242`."""
    app = web.Application()
    app.router.add_get(
        "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", cluster.serve_list
    )
    app.router.add_patch("/api/v1/namespaces/{namespace}/pods/{pod}", cluster.serve_patch)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"{'https' if tls else 'http'}://{host}:{port}"
    finally:
        await cluster.end_watches()
        await runner.cleanup()


def most_tries(elapsed_s: float, pause_first_s: float) -> int:
    """How often a client may have tried in a time that doubles its pauses, each of them shortened
    by up to a half."""
    return 2 + int(math.log2(1 + 2 * elapsed_s / pause_first_s))


def kubeconfig(server: str, token: str = "", namespace: str = "") -> str:
    """A kubeconfig for a cluster, as text."""
    context = {"cluster": "c", "user": "u", **({"namespace": namespace} if namespace else {})}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": token} if token else {}}],
            "contexts": [{"name": "x", "context": context}],
            "current-context": "x",
        }
    )
