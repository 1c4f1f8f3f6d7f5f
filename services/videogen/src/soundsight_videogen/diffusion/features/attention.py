"""Which kernel computes attention."""

from __future__ import annotations

from typing import Any

from soundsight_videogen.diffusion.features.feature import Feature, NoEffect, transformers_of
from soundsight_videogen.diffusion.libraries import library

_DISPATCH = "diffusers.models.attention_dispatch"


class AttentionBackend(Feature):
    """A backend of diffusers' dispatcher, by its name there."""

    name = "attention"

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.calls = 0
        self._original: Any = None

    def apply(self, pipeline: Any) -> None:
        """Switches it on, and counts its calls."""
        dispatch = library(_DISPATCH)
        registry = dispatch._AttentionBackendRegistry
        try:
            self._key = dispatch.AttentionBackendName(self.backend)
            for network in transformers_of(pipeline):
                network.set_attention_backend(self.backend)
        except (ValueError, RuntimeError, ImportError, NotImplementedError) as error:
            raise NoEffect(f"attention {self.backend}", str(error).split("\n")[0]) from error
        finally:
            # Its layers know their backend now; as the active one it would be every other model's.
            registry.set_active_backend(dispatch.AttentionBackendName.NATIVE)
        backends = registry._backends
        self._original = original = backends[self._key]

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return original(*args, **kwargs)

        backends[self._key] = counted

    def evidence(self) -> str:
        """How often it was called."""
        if not self.calls:
            raise NoEffect(f"attention {self.backend}", "it was never called")
        return f"{self.backend}: {self.calls} calls"

    def settle(self) -> None:
        """Stops counting."""
        if self._original is not None:
            library(_DISPATCH)._AttentionBackendRegistry._backends[self._key] = self._original
            self._original = None
