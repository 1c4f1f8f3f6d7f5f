"""HTTP routes of gRPC methods, read from their `google.api.http` annotations.

The grammar of the annotations is that of google/api/http.proto, as far as the suite's contracts use
it: literals, `*`, variables of several segments, and a verb behind a colon.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from google.api import annotations_pb2, http_pb2

WHOLE_BODY: Final = "*"
"""The body of a rule that is the request itself."""

_VARIABLE = re.compile(r"\{([^{}=]+)(?:=([^{}]*))?\}")
_SEGMENT: Final = "[^/:]+"
"""What `*` stands for. No identifier of the suite has a colon: one begins a verb."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to call one method over HTTP."""

    verb: str
    """Such as `GET`."""
    template: str
    """As annotated: `/v1/{name=projects/*/renders/*}:cancel`."""
    body: str
    """Field that the body is; `*` for the whole request, empty for no body."""
    method: Any
    """The method's descriptor."""

    @property
    def full_method(self) -> str:
        """The method as gRPC names it: `/package.Service/Method`."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def variables(self) -> dict[str, str]:
        """What stands in the path, by field path: the patterns, `projects/*` for `parent`."""
        return {path: pattern or "*" for path, pattern in _VARIABLE.findall(self.template)}

    def path(self, form: str = "{{{name}:{regex}}}") -> str:
        """The path with each variable as `form` spells it, from `name` and `regex`."""

        def spelled(found: re.Match[str]) -> str:
            pattern = "/".join(
                _SEGMENT if segment == "*" else re.escape(segment)
                for segment in (found[2] or "*").split("/")
            )
            return form.format(name=found[1], regex=pattern)

        return _VARIABLE.sub(spelled, self.template)


def rules_of(service: Any) -> Iterator[Rule]:
    """The rules of a service's descriptor, in its order.

    Raises ValueError for an annotation that needs more than is understood here.
    """
    for method in service.methods:
        options = method.GetOptions()
        if not options.HasExtension(annotations_pb2.http):
            continue
        annotated = options.Extensions[annotations_pb2.http]
        for rule in (annotated, *annotated.additional_bindings):
            yield _rule(method, rule)


def _rule(method: Any, rule: http_pb2.HttpRule) -> Rule:
    pattern = rule.WhichOneof("pattern")
    if pattern in (None, "custom") or rule.response_body or "**" in getattr(rule, pattern):
        raise ValueError(f"the HTTP rule of {method.full_name} is not understood: {rule}")
    return Rule(pattern.upper(), getattr(rule, pattern), rule.body, method)
