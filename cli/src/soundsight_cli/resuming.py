"""Which render to go on with."""

from __future__ import annotations

from pathlib import Path

from soundsight.render.v1.resources_pb2 import Render, RenderGoal, RenderSpec, RenderState
from soundsight_cli import orders
from soundsight_cli.orders import Order
from soundsight_cli.state import StateFolder
from soundsight_cli.supervisor import SuiteError
from soundsight_client import Client
from soundsight_kit.errors import InvalidArgument, NotFound

NOTHING = "there is no interrupted or failed render to go on with"


async def latest_unfinished(client: Client, state: StateFolder, *, own: bool) -> Render:
    """Returns the newest render of a video that did not come to its end, and that was not followed
    by one of the same which did.

    Args:
        client: of the gateway to ask.
        state: the folder in which this machine's commands have noted what they were asked for.
        own: whether renders count of which nothing is noted there; on a gateway that others use
            too, those are not ours to go on with.

    Raises:
        SuiteError: when there is none.
    """
    succeeded: set[bytes] = set()
    async for render in client.list_renders():
        if not is_film(render.spec):
            continue
        same = render.spec.SerializeToString(deterministic=True)
        if render.state == RenderState.RENDER_STATE_SUCCEEDED:
            succeeded.add(same)
        elif same not in succeeded and (own or orders.find(state, render.name)):
            return render
    raise SuiteError(NOTHING)


async def named(client: Client, project: str, name: str) -> Render:
    """Returns the render of a name, `projects/{project}/renders/{render}` or its last part.

    Raises:
        SuiteError: when there is none, or it makes no video.
    """
    whole = name if "/" in name else f"{project}/renders/{name}"
    try:
        render = await client.get_render(whole)
    except (InvalidArgument, NotFound):
        raise SuiteError(
            f"there is no render {name} here; `soundsight resume` without a name takes the latest"
        ) from None
    if not is_film(render.spec):
        raise SuiteError(f"render {name} makes no video; give its own command again")
    return render


def order_of(state: StateFolder, render: Render, output: Path | None) -> Order:
    """Returns where a render's video goes: where it is said now, or where it was to go.

    Raises:
        SuiteError: when neither is known.
    """
    noted = orders.find(state, render.name)
    if output is not None:
        return Order(noted.song if noted is not None else None, output)
    if noted is None:
        raise SuiteError(
            f"it is not known where the video of {render.name} was to go; name it with -o"
        )
    return noted


def is_film(spec: RenderSpec) -> bool:
    """Whether a render goes the whole way."""
    return spec.goal in (RenderGoal.RENDER_GOAL_VIDEO, RenderGoal.RENDER_GOAL_UNSPECIFIED)
