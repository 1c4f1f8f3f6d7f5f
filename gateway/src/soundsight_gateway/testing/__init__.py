"""Services that keep their contracts and follow a script: for tests, of this part and of others.

They are real servers: real streams, slots, detach and cancel. What they make is small: a clip is a
few bytes that name its key. Each counts what it did, and fails when its script says so.
"""

from soundsight_gateway.testing.services import (
    ScriptedAnalyzer,
    ScriptedComposer,
    ScriptedWriter,
)
from soundsight_gateway.testing.suite import (
    ScriptedServices,
    scripted_services,
    scripted_videogen,
)
from soundsight_gateway.testing.videogen import ScriptedVideogen, VideogenLog

__all__ = [
    "ScriptedAnalyzer",
    "ScriptedComposer",
    "ScriptedServices",
    "ScriptedVideogen",
    "ScriptedWriter",
    "VideogenLog",
    "scripted_services",
    "scripted_videogen",
]
