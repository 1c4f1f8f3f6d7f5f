"""What the kit's tests share."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from soundsight_kit.logs import configure_logging
from soundsight_kit.settings import KitSettings
from soundsight_kit.testing_s3 import S3Server, running_s3


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server."""
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def json_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Logs as a service does, in JSON; gives the lines logged so far."""
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(KitSettings(log_format="json"), "test")
    yield lambda: [json.loads(line) for line in stderr.getvalue().splitlines()]
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
