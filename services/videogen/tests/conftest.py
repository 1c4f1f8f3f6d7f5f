"""What videogen's tests share: one OpenGL context, one running renderer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from soundsight_videogen.builtin.painter import Painter


@pytest.fixture(scope="session")
def painter() -> Iterator[Painter]:
    """One OpenGL context for all tests that paint in this process."""
    painter = Painter()
    yield painter
    painter.close()
