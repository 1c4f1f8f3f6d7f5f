"""Whatever is asked of the gateway, it answers or says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fuzz.gateways import Gateway, good_requests, upload, words
from fuzz.sending import TIMEOUT_S, fuzz, request_type, rpcs, short
from fuzz.strategies import requests
from google.protobuf.descriptor import MethodDescriptor
from hypothesis import strategies as st

from soundsight_gateway.error_table import TABLE

pytestmark = pytest.mark.timeout(TIMEOUT_S)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """A gateway that all tests here call."""
    with Gateway() as target:
        yield target


def is_told(method: MethodDescriptor, code: str, reason: str) -> bool:
    """Whether callers of a method are told that it may end like this."""
    if code in ("OK", "RESOURCE_EXHAUSTED") or reason == "UNREADABLE_REQUEST":
        return True  # RESOURCE_EXHAUSTED is gRPC's own word, of a message that is too large
    rows = TABLE.get(method.containing_service.full_name, ())
    reasons = [
        each
        for row in rows
        if row.rpc == method.name and row.code == code
        for each in row.reason.split(" or ")
    ]
    return any(
        reason.startswith(each.removesuffix("...")) if each.endswith("...") else reason == each
        for each in reasons
    )


def deletes(method: MethodDescriptor) -> bool:
    """Whether a method comes last: what it deletes is not there for the others."""
    return bool(method.name == "DeleteRender")


METHODS = sorted(rpcs("gateway"), key=deletes)


@pytest.mark.parametrize("method", METHODS, ids=short)
def test_nothing_breaks_it(gateway: Gateway, method: MethodDescriptor) -> None:
    """No request makes it fail or hang, and all that it answers stands in its table of errors."""
    good = good_requests(gateway).get(method.name) or [request_type(method)()]
    if method.client_streaming:
        one = requests(*upload("upload-0002"), words=words(gateway))
        header = requests(upload("upload-0002")[0], words=words(gateway))
        many = st.lists(one, max_size=3)
        sent: st.SearchStrategy[object] = st.one_of(
            st.builds(lambda first, rest: [first, *rest], header, many), many
        )
    else:
        sent = requests(*good, words=words(gateway))
    fuzz(gateway, method, sent)
    unknown = [answer for answer in gateway.answers if not is_told(method, *answer)]
    assert not unknown, f"answers that docs/errors.md does not know: {unknown}"
