"""Operations: the methods that have HTTP routes, by their `google.api.http` annotations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from google.api import resource_pb2

from openapi.book import JSON, Book, Operation
from openapi.comments import details, summary
from openapi.parameters import parameter, path_parameters
from openapi.problems import ENCODED, JSON_BODY, LATE, NO_BODY, QUERY
from openapi.schemas import is_required
from openapi.streams import stream_parameters, stream_responses
from soundsight_gateway.http.rules import WHOLE_BODY, Rule, rules_of


def operations(service: Any, resources: Iterable[Any], book: Book) -> Iterator[Operation]:
    """The operations of a service.

    Args:
        service: the service's descriptor.
        resources: descriptors of messages; patterns of those that are resources name what stands in
            the paths.
    """
    segments = _segments(resources)
    for rule in rules_of(service):
        path = _path(rule, segments)
        yield path, rule.verb.lower(), _operation(rule, path, book)


def _operation(rule: Rule, path: str, book: Book) -> dict[str, Any]:
    method = rule.method
    service = method.containing_service
    comment = book.comments.of(method.full_name)
    operation: dict[str, Any] = {
        "tags": [service.name],
        "operationId": method.name,
        "summary": summary(comment),
    }
    if details(comment):
        operation["description"] = details(comment)
    parameters = [*path_parameters(path), *_query(rule, book)]
    known = (*book.failures.of(service.full_name, method.name), *QUERY)
    if rule.body:
        operation["requestBody"] = _request_body(rule, book)
        known = (*known, *JSON_BODY, *ENCODED)
    else:
        known = (*known, *NO_BODY)
    if method.server_streaming:
        parameters += stream_parameters()
        answers = stream_responses(method.output_type, book.schemas)
    else:
        known = (*known, *LATE)
        said = summary(book.schemas.comment(method.output_type.full_name))
        answers = {"200": book.answer(f"{said}.", method.output_type)}
    operation["parameters"] = parameters
    operation["responses"] = {**answers, **book.failures.responses(*known)}
    return operation


def _request_body(rule: Rule, book: Book) -> dict[str, Any]:
    kind = rule.method.input_type
    described: dict[str, Any] = {}
    if rule.body == WHOLE_BODY:
        fields = [field for field in kind.fields if field.name not in rule.variables]
        described["required"] = any(is_required(field) for field in fields)
        content = {"schema": book.schemas.ref(kind, without=rule.variables)}
    else:
        field = kind.fields_by_name[rule.body]
        kind = field.message_type
        described["description"] = book.schemas.comment(field.full_name)
        described["required"] = is_required(field)
        content = {"schema": book.schemas.value(field)}
    if (example := book.examples.get(kind.full_name)) is not None:
        content["example"] = example
    return {**described, "content": {JSON: content}}


def _query(rule: Rule, book: Book) -> Iterator[dict[str, Any]]:
    """What stands neither in the path nor in the body."""
    if rule.body == WHOLE_BODY:
        return
    for field in rule.method.input_type.fields:
        if field.name in rule.variables or field.name == rule.body:
            continue
        schema = book.schemas.value(field)
        if "$ref" in schema and field.message_type is not None:
            raise ValueError(f"{field.full_name}: its fields would have to stand in the query")
        more = {"required": True} if is_required(field) else {}
        said = book.schemas.comment(field.full_name)
        yield parameter("query", field.json_name, said, schema, **more)


def _path(rule: Rule, segments: dict[str, str]) -> str:
    """The path with a parameter for each `*`, named as resources name it."""

    def named(collection: re.Match[str]) -> str:
        return f"{collection[1]}/{{{segments[collection[1]]}}}"

    path = rule.template
    for variable, pattern in rule.variables.items():
        path = path.replace(f"{{{variable}={pattern}}}", re.sub(r"([^/]+)/\*", named, pattern))
    return path


def _segments(resources: Iterable[Any]) -> dict[str, str]:
    """Names of path segments by the collection before them: `project` by `projects`."""
    found: dict[str, str] = {}
    for message in resources:
        for pattern in message.GetOptions().Extensions[resource_pb2.resource].pattern:
            found |= dict(re.findall(r"([^/{}]+)/\{([^{}]+)\}", pattern))
    return found
