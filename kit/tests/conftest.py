"""What the kit's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from soundsight_kit.testing_s3 import S3Server, running_s3


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server."""
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server
