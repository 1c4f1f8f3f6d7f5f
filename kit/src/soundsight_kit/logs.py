"""Logs: one event per line, as JSON or readable on a terminal, with render, scene and trace ids.

Services use `log` and name events in lower case: `log.info("clip stored", frames=96)`. Libraries'
records (gRPC, DBOS, SQLAlchemy) come out in the same form.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from opentelemetry import trace

from soundsight_kit.context import bound_ids
from soundsight_kit.settings import KitSettings

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

_QUIET_LIBRARIES = ("asyncio", "grpc", "httpx", "sqlalchemy", "opentelemetry")


def configure_logging(kit: KitSettings, name: str) -> None:
    """Sets up logging to standard error for the process of the service `name`."""
    as_json = kit.log_format == "json" or (kit.log_format == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_ids(name),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Plain tracebacks in either form: structlog's richer ones show local variables, and secrets.
    renderers: list[structlog.typing.Processor]
    if as_json:
        renderers = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        renderers = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(kit.log_level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(kit.log_level.upper())
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)


def _add_ids(name: str) -> structlog.typing.Processor:
    def add(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = name
        event.update(bound_ids())
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            event["trace"] = f"{span.trace_id:032x}"
        return event

    return add
