"""The commands: what can be typed and what it means. Each hands its work to `commands`."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from soundsight_cli import commands
from soundsight_cli.child import SuiteError
from soundsight_cli.languagemodel import choose
from soundsight_cli.options import (
    OUTPUT,
    Brief,
    Concept,
    Document,
    End,
    Features,
    Fps,
    Height,
    Language,
    Llm,
    LlmModel,
    LlmUrl,
    MaxTags,
    MaxTempo,
    MinTempo,
    Page,
    Plot,
    Quality,
    Quiet,
    Seed,
    Song,
    Start,
    Style,
    Timings,
    Transcribe,
    Video,
    VideoModel,
    Width,
    Words,
)
from soundsight_cli.running import FAILED, MISTYPED, STOPPED_FILM, fail, run
from soundsight_cli.session import Session
from soundsight_cli.spec import ListenOptions, VideoOptions
from soundsight_cli.state import StateFolder, default_state_folder
from soundsight_cli.videomodel import choose_video_model

app = typer.Typer(
    name="soundsight",
    help="Turns a song into a music video.",
    epilog="Try: soundsight render song.mp3 -o video.mp4",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

MAKE, CARE = "Make something of a song", "Look after the suite"
DAY_S = 86_400.0


def _version(wanted: bool) -> None:
    if wanted:
        print(f"soundsight {metadata.version('soundsight')}")
        raise typer.Exit


@app.callback()
def setup(
    context: typer.Context,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="SOUNDSIGHT_STATE_DIR",
            metavar="FOLDER",
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
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Keeps what all commands share."""
    if gateway is not None and not gateway.strip():
        raise typer.BadParameter("--gateway takes HOST:PORT, such as 127.0.0.1:8443")
    folder = StateFolder((state_dir or default_state_folder()).expanduser().absolute())
    context.obj = Session(state=folder, gateway=gateway)


def _with_models(
    session: Session,
    source: str | None,
    url: str | None,
    name: str | None,
    video: str | None = None,
) -> Session:
    """The session with the language model and the video model that the options mean."""
    try:
        model, video_model = choose(source, url, name), choose_video_model(video)
    except SuiteError as error:
        fail(str(error), MISTYPED)
    if model is not None and session.gateway is not None:
        raise typer.BadParameter("a suite behind --gateway has its own language model, or none")
    if video_model and session.gateway is not None:
        raise typer.BadParameter("a suite behind --gateway has its own video model, or none")
    return replace(session, model=model, video_model=video_model)


@app.command(rich_help_panel=MAKE)
def render(
    context: typer.Context,
    song: Song,
    output: Video = None,
    width: Width = None,
    height: Height = None,
    fps: Fps = None,
    seed: Seed = None,
    style: Style = "",
    brief: Brief = None,
    quality: Quality = "standard",
    lyrics: Words = None,
    concept: Concept = False,
    start: Start = None,
    end: End = None,
    llm: Llm = None,
    llm_url: LlmUrl = None,
    llm_model: LlmModel = None,
    video_model: VideoModel = None,
    timings: Timings = False,
    quiet: Quiet = False,
) -> None:
    """Render SONG into a music video.

    After Ctrl-C or a crash, "soundsight resume" or the same command goes on: finished scenes are
    kept.

    \b
    Examples:
      soundsight render song.mp3 -o video.mp4
      soundsight render song.ogg --width 720 --height 1280 --fps 30
      soundsight render song.mp3 --style "snow, calm" --seed 7
      soundsight render song.flac --from 1:02 --to 1:32 --quality draft
    """
    listen = ListenOptions(lyrics=lyrics, concept=concept)
    options = VideoOptions(width, height, fps, seed, style, quality, start, end, listen, brief)
    video = output or Path(song.stem + ".mp4")
    session = _with_models(context.obj, llm, llm_url, llm_model, video_model)
    run(
        commands.render(session, song, video, options, quiet=quiet, show_timings=timings),
        stopped=STOPPED_FILM,
    )


@app.command(rich_help_panel=MAKE)
def resume(
    context: typer.Context,
    render: Annotated[
        str | None,
        typer.Argument(
            metavar="RENDER",
            help="The render's name.",
            show_default="the latest that was interrupted or failed",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="VIDEO",
            help="The video.",
            show_default="where it was to go",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    llm: Llm = None,
    llm_url: LlmUrl = None,
    llm_model: LlmModel = None,
    video_model: VideoModel = None,
    timings: Timings = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a render that was interrupted or failed.

    Everything that is finished is kept.

    \b
    Examples:
      soundsight resume
      soundsight resume r1m8bweysrm9gk5r6p -o video.mp4
    """
    session = _with_models(context.obj, llm, llm_url, llm_model, video_model)
    run(
        commands.resume(session, render, output, quiet=quiet, show_timings=timings),
        stopped=STOPPED_FILM,
    )


@app.command(rich_help_panel=MAKE)
def analyze(
    context: typer.Context,
    song: Song,
    json: Document = None,
    plot: Plot = None,
    features: Features = "",
    lyrics: Words = None,
    transcribe: Transcribe = False,
    language: Language = "",
    concept: Concept = False,
    min_tempo: MinTempo = 0.0,
    max_tempo: MaxTempo = 0.0,
    max_tags: MaxTags = 0,
    start: Start = None,
    end: End = None,
    quiet: Quiet = False,
) -> None:
    """Listen to SONG and tell what is in it: tempo, beats, key, sections, tags, mood.

    \b
    Examples:
      soundsight analyze song.mp3
      soundsight analyze song.mp3 --plot analysis.png
      soundsight analyze song.mp3 --features rhythm,harmony --min-tempo 120
      soundsight analyze song.mp3 --lyrics song.lrc --language en
      soundsight analyze song.mp3 --quiet --json - | jq .rhythm.tempo_bpm
    """
    listen = ListenOptions(
        features, lyrics, language, transcribe, concept, max_tags, min_tempo, max_tempo
    )
    options = VideoOptions(start=start, end=end, listen=listen)
    run(commands.analyze(context.obj, song, json, plot, options, quiet=quiet))


@app.command(rich_help_panel=MAKE)
def storyboard(
    context: typer.Context,
    song: Song,
    json: Document = None,
    html: Page = None,
    stats: Annotated[
        bool,
        typer.Option(
            "--stats",
            help="Print how it is cut: lengths of shots, cuts on the beat.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    width: Width = None,
    height: Height = None,
    fps: Fps = None,
    seed: Seed = None,
    style: Style = "",
    brief: Brief = None,
    lyrics: Words = None,
    concept: Concept = False,
    start: Start = None,
    end: End = None,
    llm: Llm = None,
    llm_url: LlmUrl = None,
    llm_model: LlmModel = None,
    quiet: Quiet = False,
) -> None:
    """Write the storyboard of SONG without filming it.

    With the options of a render it is the storyboard of that render.

    \b
    Examples:
      soundsight storyboard song.mp3
      soundsight storyboard song.mp3 --style "snow, calm" --seed 7
      soundsight storyboard song.mp3 --html storyboard.html --brief brief.yaml
      soundsight storyboard song.mp3 --json storyboard.json
      soundsight storyboard song.mp3 --stats
    """
    listen = ListenOptions(lyrics=lyrics, concept=concept)
    options = VideoOptions(
        width, height, fps, seed, style, start=start, end=end, listen=listen, brief=brief
    )
    session = _with_models(context.obj, llm, llm_url, llm_model)
    run(commands.storyboard(session, song, json, options, quiet=quiet, html=html, show_stats=stats))


@app.command(rich_help_panel=CARE)
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
    http: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Where the render API is served over HTTP as well.",
            show_default="nowhere",
        ),
    ] = None,
    llm: Llm = None,
    llm_url: LlmUrl = None,
    llm_model: LlmModel = None,
    video_model: VideoModel = None,
    until_idle: Annotated[bool, typer.Option("--until-idle", hidden=True)] = False,
) -> None:
    """Run the whole suite on this machine until Ctrl-C.

    Commands on the same state folder use it instead of starting one of their own.

    \b
    Examples:
      soundsight serve
      soundsight serve --listen 127.0.0.1:8443
      soundsight serve --http 127.0.0.1:8080
      soundsight serve --llm ~/models/Qwen3-8B
      soundsight serve --llm-url http://gpu:8000/v1
      soundsight serve --video-model ~/models/Wan2.1-T2V-1.3B-Diffusers
    """
    session = _with_models(context.obj, llm, llm_url, llm_model, video_model)
    run(commands.serve(session, listen, http, until_idle=until_idle), stopped="stopped")


@app.command(rich_help_panel=CARE)
def info(
    context: typer.Context,
    services: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=ADDRESS",
            help="Services to ask instead of those of this machine.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Tell which services answer, what they can do, their models and licences.

    Ends with code 1 when one that is asked does not answer.

    \b
    Examples:
      soundsight info
      soundsight --gateway render.example.org:8443 info
      soundsight info analyzer=10.0.0.7:7001 videogen=10.0.0.8:7003
    """
    if not run(commands.info(context.obj, services or ()), stopped="stopped"):
        raise typer.Exit(FAILED)


@app.command(rich_help_panel=CARE)
def doctor(
    context: typer.Context,
    json: Document = None,
) -> None:
    """Look whether this machine can render, and whether all that is kept is whole.

    Compares renders, stored files and processes: nothing missing, damaged, without use or left
    half done. Changes nothing. Ends with code 0 when all is well, with 1 when something is not.

    \b
    Examples:
      soundsight doctor
      soundsight doctor --json - | jq '.results[] | select(.well | not)'
    """
    if not run(commands.doctor(context.obj, json), stopped="stopped"):
        raise typer.Exit(FAILED)


@app.command(rich_help_panel=CARE)
def clean(
    context: typer.Context,
    older_than: Annotated[
        float | None,
        typer.Option(
            metavar="DAYS", min=0, help="Keep what was made or used in the last DAYS days."
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Remove everything, unfinished renders and jobs too."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only tell what would be removed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Free space in the state folder: remove what no unfinished render needs.

    Videos that were written elsewhere stay. A render whose clips were removed can be made again.

    \b
    Examples:
      soundsight clean --dry-run
      soundsight clean --older-than 30
      soundsight clean --all --yes
    """

    if everything and older_than is not None:
        raise typer.BadParameter("--all removes everything, --older-than does not; choose one")
    state: StateFolder = context.obj.state
    since_s = None if older_than is None else time.time() - older_than * DAY_S
    sweep = commands.Sweep(state, everything, since_s)
    planned = run(commands.plan_clean(sweep), stopped="stopped; nothing was removed")
    if dry_run or not planned.items:
        return
    if not yes:
        if not sys.stdin.isatty():
            fail("clean asks before it removes; say --yes where nobody can answer", MISTYPED)
        # Outside of the event loop, which would keep Ctrl-C from ending the question.
        if not typer.confirm("Remove all this?"):
            print("nothing was removed")
            return
    run(commands.clean(sweep, planned), stopped="stopped; the same command goes on")
