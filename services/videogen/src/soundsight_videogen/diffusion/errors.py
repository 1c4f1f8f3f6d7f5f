"""What a studio raises beyond the suite's own errors."""

from __future__ import annotations

from soundsight_kit.errors import ResourceExhausted


class OutOfMemory(ResourceExhausted):
    """The device has too little memory for this clip under this memory plan; a cheaper one may do.

    `plan` names the plan that did not fit.
    """

    default_reason = "OUT_OF_MEMORY"

    def __init__(self, message: str, *, plan: str = "") -> None:
        super().__init__(message, metadata={"memory_plan": plan} if plan else {})
        self.plan = plan
