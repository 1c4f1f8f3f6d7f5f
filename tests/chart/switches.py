"""Combinations of switches, drawn so that all pairs of positions come up in some of them."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Mapping
from typing import Any, Final

from chart.rendering import PLAIN, TRIAL, Values, merged

COMBINATIONS: Final = 30

PROFILE: Final = {"kind": "BACKEND_KIND_DIFFUSION", "frameStep": 4, "frameOffset": 1}
MODEL: Final = {"models": ["owner/model"], "gpus": {"nvidia.com/gpu": 1}, "profile": PROFILE}
INGRESS: Final = {"enabled": True, "hosts": ["render.org"], "className": "nginx"}
ROUTE: Final = {"enabled": True, "parentRefs": [{"name": "g"}]}

AXES: Final[Mapping[str, Mapping[str, Values]]] = {
    "gateway": {
        "one": {},
        "three": {"gateway": {"replicas": 3}},
        "scaled": {"gateway": {"autoscaling": {"enabled": True, "minReplicas": 2}}},
    },
    "database": {
        "external": {},
        "bundled": merged(TRIAL, {"database": {"kind": "bundled"}}),
    },
    "artifacts": {
        "s3": {"artifacts": {"s3": {"endpoint": "http://s3:9000", "existingSecret": "keys"}}},
        "bundled": merged(TRIAL, {"artifacts": {"kind": "bundled"}}),
        "volume": {"artifacts": {"kind": "volume"}},
    },
    "tls": {
        "off": {},
        "certManager": {"tls": {"enabled": True, "certManager": {"enabled": True}}},
        "given": {
            "tls": {
                "enabled": True,
                "gatewayClientCertificates": False,
                "existingSecrets": {
                    name: f"{name}-tls"
                    for name in (
                        "gateway",
                        "analyzer",
                        "scenewriter",
                        "composer",
                        "videogen",
                        "client",
                    )
                },
            }
        },
    },
    "services": {
        "ours": {},
        "scaled": {
            name: {"autoscaling": {"enabled": True}}
            for name in ("analyzer", "scenewriter", "composer")
        },
        "others": {
            name: {"enabled": False, "externalAddress": f"{name}.example.org:443"}
            for name in ("analyzer", "scenewriter", "composer")
        },
    },
    "pools": {
        "builtin": {},
        "hub": {
            "videogen": {
                "pools": {
                    "default": merged(
                        MODEL, {"settings": {"SOUNDSIGHT_VIDEOGEN_DIFFUSION_HUB": True}}
                    )
                }
            }
        },
        "scaled": {
            "videogen": {
                "keda": {"enabled": True},
                "pools": {
                    "default": merged(
                        MODEL,
                        {
                            "download": {"enabled": True, "include": ["*.json"]},
                            "revision": "abc",
                            "modelCache": {"enabled": True},
                        },
                    ),
                    "amd": {"profile": PROFILE, "gpus": {"amd.com/gpu": 2}},
                },
            }
        },
        "others": {
            "videogen": {"pools": {"default": {"externalAddresses": ["dns:///films.org:443"]}}}
        },
        "claims": {
            "videogen": {
                "pools": {
                    "default": {"replicas": 4},
                    "xe": {
                        "deviceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}]
                    },
                }
            }
        },
    },
    "models": {
        "none": {},
        "here": {
            "vllm": {
                "script": {"enabled": True, "model": "owner/writer", "gpus": {"amd.com/gpu": 1}},
                "concept": {"enabled": True, "model": "/models/ears"},
            }
        },
        "elsewhere": {
            "vllm": {
                name: {
                    "externalUrl": "https://llm.example.org/v1",
                    "model": "m",
                    "apiKey": {"existingSecret": "llm"},
                }
                for name in ("script", "concept")
            }
        },
    },
    "doors": {
        "none": {"tests": {"enabled": False}},
        "ingresses": {"grpcIngress": INGRESS, "httpIngress": INGRESS},
        "routes": {
            "grpcRoute": {**ROUTE, "hostnames": ["grpc.render.org"]},
            "httpRoute": {**ROUTE, "hostnames": ["render.org"]},
        },
        "grpcAlone": {
            "gateway": {"http": {"enabled": False}},
            "grpcIngress": INGRESS,
            "grpcRoute": ROUTE,
        },
    },
    "network": {
        "open": {"networkPolicy": {"enabled": False}},
        "closed": {},
        "closer": {
            "networkPolicy": {
                name: [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
                for name in ("clients", "apiServer", "database", "objectStore", "dns")
            }
        },
    },
    "watching": {
        "no": {},
        "yes": {
            "tracing": {"endpoint": "http://collector:4317"},
            "monitoring": {
                name: {"enabled": True}
                for name in ("serviceMonitor", "prometheusRule", "dashboards")
            },
        },
    },
    "placement": {
        "anywhere": {},
        "somewhere": {
            "image": {"registry": "registry.org/x", "pullSecrets": ["pull"]},
            "gateway": {"discovery": "dns"},
            "defaults": {
                "nodeSelector": {"a": "b"},
                "tolerations": [{"operator": "Exists"}],
                "affinity": {"nodeAffinity": {}},
                "topologySpreadConstraints": [
                    {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
                ],
                "priorityClassName": "high",
                "runtimeClassName": "nvidia",
                "schedulerName": "own",
                "podLabels": {"team": "films"},
                "podAnnotations": {"note": "x"},
                "shm": {"size": "1Gi"},
                "extraEnv": [{"name": "TZ", "value": "UTC"}],
                "extraVolumes": [{"name": "prompts", "configMap": {"name": "prompts"}}],
                "extraVolumeMounts": [{"name": "prompts", "mountPath": "/prompts"}],
            },
        },
    },
}


@functools.cache
def combinations() -> tuple[dict[str, str], ...]:
    """The positions of all switches, `COMBINATIONS` times; the same each time.

    Each is the one of many drawn that has the most pairs which none before it has.
    """
    draw = random.Random(1)
    chosen: list[dict[str, str]] = []
    missing = all_pairs()
    for _ in range(COMBINATIONS):
        drawn = [
            {axis: draw.choice(list(positions)) for axis, positions in AXES.items()}
            for _ in range(100)
        ]
        best = max(drawn, key=lambda positions: len(missing & pairs_of(positions)))
        missing -= pairs_of(best)
        chosen.append(best)
    return tuple(chosen)


def values_of(positions: Mapping[str, str]) -> dict[str, Any]:
    """The values that put the switches there."""
    return merged(PLAIN, *(AXES[axis][position] for axis, position in positions.items()))


def pairs_of(positions: Mapping[str, str]) -> set[tuple[str, str]]:
    """The pairs of two switches' positions in a combination."""
    told = [f"{axis}={position}" for axis, position in positions.items()]
    return set(itertools.combinations(told, 2))


def all_pairs() -> set[tuple[str, str]]:
    """Every pair of positions of two switches."""
    return {
        (f"{a}={one}", f"{b}={other}")
        for (a, ones), (b, others) in itertools.combinations(AXES.items(), 2)
        for one in ones
        for other in others
    }
