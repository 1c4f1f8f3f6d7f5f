"""The Python client of Soundsight's render API.

async with Client("localhost:8443", project="projects/default") as client:
    song = await client.upload(Path("song.mp3"))
    render = await client.ensure_render(RenderSpec(song=song))
    async for event in client.watch_render(render.name):
        ...
    done = await client.get_render(render.name)
    await client.download(done.outputs.video, Path("video.mp4"))
"""

from soundsight_client.client import Client, Timeouts

__all__ = ["Client", "Timeouts"]
