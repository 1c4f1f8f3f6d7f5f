"""Typed settings from environment variables, checked once at start.

`KitSettings` holds what every service shares (prefix `SOUNDSIGHT_`); a service adds a class of its
own with the prefix `SOUNDSIGHT_<SERVICE>_`. A wrong value stops the process with one line per value
that names the variable, the value and what is allowed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar, get_args

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SettingsT = TypeVar("SettingsT", bound=BaseSettings)

EXIT_BAD_SETTINGS = 2

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "console"]


class KitSettings(BaseSettings):
    """What every Soundsight process can be told."""

    # A variable that is empty, as charts and compose files write it, is one that is not set.
    model_config = SettingsConfigDict(
        env_prefix="SOUNDSIGHT_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    listen: str = Field(
        "127.0.0.1:0",
        description="Where to serve: host:port (port 0 takes a free one) or unix:/absolute/path.",
    )
    log_level: LogLevel = Field("info", description="Least severity that is logged.")
    log_format: LogFormat = Field(
        "auto", description="json, console (for people), or auto: console on a terminal."
    )
    metrics_listen: str | None = Field(
        None, description="host:port of Prometheus' /metrics; off when empty."
    )
    otlp_endpoint: str | None = Field(
        None, description="OTLP/gRPC endpoint for traces, such as http://collector:4317."
    )
    tls_certificate: Path | None = Field(
        None, description="PEM certificate chain to serve with; TLS is off when empty."
    )
    tls_key: Path | None = Field(None, description="PEM private key of the certificate.")
    tls_client_ca: Path | None = Field(
        None, description="PEM authorities whose clients may call (mutual TLS)."
    )
    tls_server_ca: Path | None = Field(
        None,
        description="PEM authorities whose servers are called over TLS, showing the certificate"
        " above; plain text when empty.",
    )
    artifacts_url: str = Field(
        f"file://{tempfile.gettempdir()}/soundsight/artifacts",
        description="The object store: file:///folder or s3://bucket/prefix.",
    )
    drain_grace_s: float = Field(
        30.0,
        ge=0,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds that running work gets to finish after SIGTERM.",
    )
    scratch_dir: Path = Field(
        Path(tempfile.gettempdir()), description="Folder for temporary files."
    )

    @field_validator("listen")
    @classmethod
    def _listen_is_an_address(cls, value: str) -> str:
        if value.startswith("unix:"):
            if not value.removeprefix("unix:").startswith("/"):
                raise ValueError("a Unix socket needs an absolute path: unix:/run/soundsight.sock")
            return value
        check_host_port(value)
        return value

    @field_validator("metrics_listen")
    @classmethod
    def _metrics_is_host_port(cls, value: str | None) -> str | None:
        if value is not None:
            check_host_port(value)
        return value

    @field_validator("artifacts_url")
    @classmethod
    def _artifacts_scheme(cls, value: str) -> str:
        if not value.startswith(("file:///", "s3://")):
            raise ValueError("must start with file:/// or s3://")
        return value

    @field_validator("tls_certificate", "tls_key", "tls_client_ca", "tls_server_ca")
    @classmethod
    def _file_exists(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("there is no such file")
        return value

    @model_validator(mode="after")
    def _tls_is_whole(self) -> KitSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("TLS_CERTIFICATE and TLS_KEY belong together: set both or neither")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("TLS_CLIENT_CA needs TLS_CERTIFICATE and TLS_KEY")
        return self


def check_host_port(value: str) -> None:
    """Raises ValueError unless `value` is an address to listen on: host:port."""
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise ValueError("must be host:port, or unix:/absolute/path where a socket is meant")


def load_settings(cls: type[SettingsT]) -> SettingsT:
    """Reads `cls` from the environment, or exits with 2 and one line per wrong value."""
    try:
        return cls()
    except ValidationError as error:
        for line in explain(cls, error):
            print(line, file=sys.stderr)  # noqa: T201 - logging is not configured yet
        raise SystemExit(EXIT_BAD_SETTINGS) from None


def explain(cls: type[BaseSettings], error: ValidationError) -> list[str]:
    """One readable line per wrong value: the variable, the value, what is allowed."""
    lines = []
    for fault in error.errors():
        message = fault["msg"].removeprefix("Value error, ")
        if not fault["loc"]:
            lines.append(f"{_prefix(cls)}*: {message}")
            continue
        name = str(fault["loc"][0])
        variable = environment_name(cls, name)
        secret = _is_secret(cls, name)
        value = "(hidden)" if secret else repr(os.environ.get(variable, fault.get("input")))
        lines.append(f"{variable}={value}: {message}")
    return lines


@dataclass(frozen=True)
class SettingRow:
    """One line of the table of settings."""

    variable: str
    default: str
    description: str


def settings_table(*classes: type[BaseSettings]) -> list[SettingRow]:
    """The environment variables of `classes`, in order of declaration."""
    return [
        SettingRow(
            variable=environment_name(cls, name),
            default=_default_text(field.get_default(call_default_factory=False)),
            description=field.description or "",
        )
        for cls in classes
        for name, field in cls.model_fields.items()
    ]


def environment_name(cls: type[BaseSettings], field: str) -> str:
    """The environment variable of a field."""
    return (_prefix(cls) + field).upper()


def _prefix(cls: type[BaseSettings]) -> str:
    return cls.model_config.get("env_prefix", "")


def _is_secret(cls: type[BaseSettings], name: str) -> bool:
    field = cls.model_fields.get(name)
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))


def _default_text(value: object) -> str:
    return "" if value is None else str(value)
