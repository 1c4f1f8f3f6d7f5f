"""The commands: what can be typed and what it means. Each hands its work to `commands`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from soundsight_cli import commands
from soundsight_cli.spec import QUALITIES, VideoOptions
from soundsight_cli.state import StateFolder, default_state_folder

app = typer.Typer(
    name="soundsight",
    help="Turns a song into a music video.",
    epilog="Try: soundsight render song.mp3 -o video.mp4",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Song = Annotated[
    Path,
    typer.Argument(metavar="SONG", help="The song: mp3, ogg, opus, flac, wav or m4a."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Start = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="Start of the part to use: seconds or m:ss."),
]
End = Annotated[
    str | None,
    typer.Option("--to", metavar="TIME", help="End of the part to use: seconds or m:ss."),
]
Fps = Annotated[
    str | None,
    typer.Option(
        metavar="RATE",
        help="Frames per second, such as 24 or 30000/1001. [default: 24]",
    ),
]
Seed = Annotated[int, typer.Option(help="Another seed makes another film of the same song.")]
Style = Annotated[
    str,
    typer.Option(metavar="TEXT", help='How it should look, such as "rainy, melancholic, neon".'),
]


@app.callback()
def setup(
    context: typer.Context,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="SOUNDSIGHT_STATE_DIR",
            help="Where jobs, clips and logs are kept.",
            show_default="$XDG_STATE_HOME/soundsight",
        ),
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            envvar="SOUNDSIGHT_GATEWAY",
            metavar="HOST:PORT",
            help="Use the suite behind this gateway instead of one on this machine.",
        ),
    ] = None,
) -> None:
    """Keeps what all commands share."""
    folder = StateFolder((state_dir or default_state_folder()).expanduser().absolute())
    context.obj = commands.Session(state=folder, gateway=gateway)


@app.command()
def render(
    context: typer.Context,
    song: Song,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="VIDEO",
            help="The video. [default: SONG's name.mp4]",
        ),
    ] = None,
    width: Annotated[int | None, typer.Option(help="Width in pixels. [default: 1280]")] = None,
    height: Annotated[int | None, typer.Option(help="Height in pixels. [default: 720]")] = None,
    fps: Fps = None,
    seed: Seed = 0,
    style: Style = "",
    quality: Annotated[str, typer.Option(help=" | ".join(QUALITIES))] = "standard",
    start: Start = None,
    end: End = None,
    quiet: Quiet = False,
) -> None:
    """Render SONG into a music video.

    The same command after Ctrl-C or a crash goes on where it stopped: finished
    scenes are kept. Examples:

      soundsight render song.mp3 -o video.mp4

      soundsight render song.ogg --width 720 --height 1280 --fps 30 --style "snow, calm"

      soundsight render song.flac --from 1:02 --to 1:32 --quality draft
    """
    _check_quality(quality)
    commands.run(
        commands.render(
            context.obj,
            song,
            output or Path(song.stem + ".mp4"),
            VideoOptions(width, height, fps, seed, style, quality, start, end),
            quiet=quiet,
        )
    )


@app.command()
def analyze(
    context: typer.Context,
    song: Song,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write all of it; - prints it."),
    ] = None,
    start: Start = None,
    end: End = None,
    quiet: Quiet = False,
) -> None:
    """Listen to SONG and tell what is in it: tempo, beats, key, sections, tags, mood."""
    commands.run(
        commands.analyze(context.obj, song, json, VideoOptions(start=start, end=end), quiet=quiet)
    )


@app.command()
def storyboard(
    context: typer.Context,
    song: Song,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write all of it; - prints it."),
    ] = None,
    fps: Fps = None,
    seed: Seed = 0,
    style: Style = "",
    start: Start = None,
    end: End = None,
    quiet: Quiet = False,
) -> None:
    """Write the storyboard of SONG without filming it."""
    options = VideoOptions(fps=fps, seed=seed, style=style, start=start, end=end)
    commands.run(commands.storyboard(context.obj, song, json, options, quiet=quiet))


@app.command()
def serve(
    context: typer.Context,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Where the render API listens.",
            show_default="a Unix socket that this machine's commands find",
        ),
    ] = None,
    until_idle: Annotated[bool, typer.Option("--until-idle", hidden=True)] = False,
) -> None:
    """Run the whole suite on this machine until Ctrl-C."""
    commands.run(commands.serve(context.obj, listen, until_idle=until_idle))


@app.command()
def info(context: typer.Context) -> None:
    """Tell which services answer, what they can do, their models and licences."""
    commands.run(commands.info(context.obj))


def _check_quality(quality: str) -> None:
    if quality not in QUALITIES:
        raise typer.BadParameter(f"--quality takes {', '.join(QUALITIES)}; not {quality!r}")
