"""What a gateway can be told, and the limits and policies that follow from it."""

from __future__ import annotations

import socket
from typing import Annotated, Any, Final, Literal

from google.protobuf import json_format
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from soundsight.videogen.v1 import profile_pb2
from soundsight_gateway.discovery.targets import Address, Target, parse_target
from soundsight_kit.settings import check_host_port

APPLICATION_VERSION: Final = "1"
"""Version of the durable workflows. Bump it by hand with every change that alters their sequence of
steps; running renders of another version are not continued (see `engine`)."""

DEFAULT_POOL: Final = "default"


class VideoPool(BaseModel):
    """Endpoints that film alike: one model, one fingerprint, one queue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")
    endpoints: tuple[str, ...] = Field(min_length=1)
    """Targets, as in VIDEO_ENDPOINTS."""
    profile: dict[str, Any] | None = None
    """VideoGenProfile as protobuf JSON, for planning while no endpoint has ever answered."""
    max_in_flight: int = Field(default=64, ge=1, le=10_000)
    """Scenes that this gateway hands to the pool at a time; the rest waits in the durable queue."""

    @field_validator("endpoints")
    @classmethod
    def _are_targets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            parse_target(text)
        return value

    @field_validator("profile")
    @classmethod
    def _is_a_profile(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None:
            try:
                json_format.ParseDict(value, profile_pb2.VideoGenProfile())
            except json_format.ParseError as error:
                raise ValueError(f"is no VideoGenProfile: {error}") from None
        return value

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is configured as its endpoints."""
        return tuple(map(parse_target, self.endpoints))

    @property
    def fixed(self) -> frozenset[Address]:
        """The endpoints that are given by their address."""
        return frozenset(target for target in self.targets if isinstance(target, Address))

    @property
    def declared_profile(self) -> profile_pb2.VideoGenProfile | None:
        """The profile in the configuration, if there is one."""
        if self.profile is None:
            return None
        return json_format.ParseDict(self.profile, profile_pb2.VideoGenProfile())


class GatewaySettings(BaseSettings):
    """The gateway's own settings."""

    model_config = SettingsConfigDict(env_prefix="SOUNDSIGHT_GATEWAY_", extra="ignore", frozen=True)

    database_url: str = Field(
        "sqlite:///soundsight-gateway.sqlite",
        description="Where renders are kept: sqlite:///path/to/file or "
        "postgresql://user:password@host/database.",
    )
    http_listen: str | None = Field(
        None,
        description="Where to serve the HTTP/JSON API: host:port, with the certificate of gRPC "
        "where one is set. Off when empty.",
    )
    http_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Host names that HTTP requests may be for, separated by commas. When empty: "
        "any; but only localhost and loopback addresses where HTTP_LISTEN is one.",
    )
    analyzer: str = Field(
        "127.0.0.1:7001", description="gRPC target of the analyzer: host:port or unix:/path."
    )
    scenewriter: str = Field("127.0.0.1:7002", description="gRPC target of the scene writer.")
    composer: str = Field("127.0.0.1:7004", description="gRPC target of the composer.")
    video_endpoints: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1:7003",),
        description="gRPC targets of the default videogen pool, separated by commas: host:port and "
        "unix:/path are one endpoint each; dns:///name:port is every address of the name, looked "
        "up again every few seconds; kubernetes:///service.namespace:port is every ready address "
        "of the Service (a port's number or name; without namespace, the gateway's own).",
    )
    video_pools: tuple[VideoPool, ...] = Field(
        (),
        description='Further pools as JSON: [{"name": ..., "endpoints": [...], "profile": {...}}]. '
        "One named `default` replaces VIDEO_ENDPOINTS.",
    )
    pod_deletion_cost: bool = Field(
        False,
        description="Whether pods behind kubernetes:/// targets get a deletion cost while they "
        "film, so that a pool that shrinks loses idle pods first. Needs the right to patch pods.",
    )
    executor_id: str = Field(
        "",
        description="Names this gateway across restarts (a pod's name): it continues its own work. "
        "When empty: the host's name, or `local` on SQLite, which only one gateway can use.",
    )
    executor_timeout_s: float = Field(
        10.0,
        ge=1,
        le=600,
        description="Seconds of silence after which gateways on one Postgres take over the renders "
        "of one that has gone; it ends itself when it has no lock there for three times as long.",
    )
    recover_on_start: Literal["all", "unpaused", "none"] = Field(
        "all",
        description="all continues every unfinished render at start; none pauses each until it is "
        "asked for again; unpaused continues those that were not paused.",
    )
    sweep_interval_s: float = Field(
        30.0, gt=0, le=3600, description="Seconds between two looks for renders left behind."
    )
    queue_polling_s: float = Field(
        0.25, ge=0.02, le=10, description="Seconds between two looks into the queue of scenes."
    )
    max_song_bytes: int = Field(
        2 << 30, ge=1, description="Largest file that may be uploaded, in bytes."
    )
    max_song_duration_s: float = Field(
        7200.0, gt=0, description="Longest song, or excerpt of one, in seconds."
    )
    max_pixels: int = Field(
        3840 * 2160, ge=64 * 64, description="Most pixels of a video's picture."
    )
    max_frames: int = Field(1_000_000, ge=1, description="Most frames of a video.")
    detach_grace_s: float = Field(
        120.0,
        ge=0,
        le=600,
        description="Seconds that clips and compositions go on when the gateway goes away.",
    )
    analysis_timeout_s: float = Field(3600.0, gt=0, description="Longest analysis, in seconds.")
    writing_timeout_s: float = Field(
        1800.0, gt=0, description="Longest writing of a storyboard, in seconds."
    )
    filming_timeout_s: float = Field(
        7200.0, gt=0, description="Longest attempt at one clip, waiting at the endpoint included."
    )
    composing_timeout_s: float = Field(7200.0, gt=0, description="Longest composition, in seconds.")
    silence_timeout_s: float = Field(
        900.0, gt=0, description="Seconds without a message after which a call counts as dead."
    )
    scene_timeout_s: float = Field(
        86_400.0,
        gt=0,
        description="Seconds that a scene gets for all attempts together, counted from the first "
        "that failed; a single one gets no more either.",
    )
    pool_patience_s: float = Field(
        1800.0,
        gt=0,
        description="Seconds that a scene waits while no endpoint of its pool answers, per "
        "attempt. While some do, it waits for one to have room.",
    )
    retry_attempts: int = Field(
        5, ge=1, le=100, description="Times that a stage or a scene is tried before it fails."
    )
    retry_first_s: float = Field(
        1.0, gt=0, description="Pause before the second attempt, in seconds."
    )
    retry_factor: float = Field(2.0, ge=1, le=10, description="Growth of the pauses.")
    retry_most_s: float = Field(60.0, gt=0, description="Longest pause, in seconds.")

    @field_validator("database_url")
    @classmethod
    def _is_a_known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        return value

    @field_validator("http_listen")
    @classmethod
    def _http_is_host_port(cls, value: str | None) -> str | None:
        if not value:
            return None
        check_host_port(value)
        return value

    @field_validator("video_endpoints", "http_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("video_endpoints")
    @classmethod
    def _are_targets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            parse_target(text)
        return value

    @model_validator(mode="after")
    def _pauses_what_is_its_own(self) -> GatewaySettings:
        if self.recover_on_start == "none" and not self.database_url.startswith("sqlite:"):
            raise ValueError(
                "RECOVER_ON_START=none is for SQLite: on Postgres it would pause the renders of "
                "other gateways"
            )
        return self

    @model_validator(mode="after")
    def _pools_are_told_apart(self) -> GatewaySettings:
        names = [pool.name for pool in self.video_pools]
        if len(set(names)) != len(names):
            raise ValueError("VIDEO_POOLS names a pool twice")
        if DEFAULT_POOL not in names and not self.video_endpoints:
            raise ValueError("VIDEO_ENDPOINTS is empty and VIDEO_POOLS has no pool named default")
        return self

    @property
    def pools(self) -> dict[str, VideoPool]:
        """All pools by name; the default one is always among them."""
        pools = {pool.name: pool for pool in self.video_pools}
        if DEFAULT_POOL not in pools:
            pools[DEFAULT_POOL] = VideoPool(name=DEFAULT_POOL, endpoints=self.video_endpoints)
        return pools

    @property
    def executor(self) -> str:
        """The executor id, its default filled in."""
        on_sqlite = self.database_url.startswith("sqlite:")
        return self.executor_id or ("local" if on_sqlite else socket.gethostname())
