"""The options that commands share: how each is typed and what its help says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from soundsight_cli.spec import FEATURES, QUALITIES

FILM, LISTENING, PICTURE, OUTPUT = "The film", "The listening", "The picture", "The output"
WRITER = "The writer"


def _qualities() -> list[str]:
    return list(QUALITIES)


Song = Annotated[
    Path,
    typer.Argument(metavar="SONG", help="The song: mp3, ogg, opus, flac, wav or m4a."),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print nothing but errors.", rich_help_panel=OUTPUT),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="TIME",
        help="Start of the part to use: seconds or m:ss.",
        show_default="the song's start",
        rich_help_panel=FILM,
    ),
]
End = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="TIME",
        help="End of the part to use: seconds or m:ss.",
        show_default="the song's end",
        rich_help_panel=FILM,
    ),
]
Width = Annotated[
    int | None,
    typer.Option(metavar="PIXELS", help="Width.", show_default="1280", rich_help_panel=PICTURE),
]
Height = Annotated[
    int | None,
    typer.Option(metavar="PIXELS", help="Height.", show_default="720", rich_help_panel=PICTURE),
]
Fps = Annotated[
    str | None,
    typer.Option(
        metavar="RATE",
        help="Frames per second, such as 24 or 30000/1001.",
        show_default="24",
        rich_help_panel=PICTURE,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        help="Another seed makes another film of the same song.",
        show_default="the brief's, or 0",
        rich_help_panel=FILM,
    ),
]
Style = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help='How it should look, such as "rainy, melancholic, neon".',
        show_default="what the song suggests",
        rich_help_panel=FILM,
    ),
]
Brief = Annotated[
    Path | None,
    typer.Option(
        "--brief",
        metavar="FILE",
        help="All wishes in a file, .yaml or .json: setting, story, palette, cast, must-haves.",
        rich_help_panel=FILM,
    ),
]
Page = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write all of it as one page for a browser or a printer.",
        rich_help_panel=OUTPUT,
    ),
]
Document = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", help="Write all of it; - prints it.", rich_help_panel=OUTPUT
    ),
]
Quality = Annotated[
    str,
    typer.Option(
        metavar="|".join(QUALITIES),
        help="How much care is taken.",
        autocompletion=_qualities,
        rich_help_panel=PICTURE,
    ),
]
Video = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="VIDEO",
        help="The video.",
        show_default="SONG's name.mp4",
        rich_help_panel=OUTPUT,
    ),
]
Timings = Annotated[
    bool,
    typer.Option("--timings", help="Print what each stage took.", rich_help_panel=OUTPUT),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw all of it into one picture, .png or .svg.",
        rich_help_panel=OUTPUT,
    ),
]
Features = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help=f"What to listen for, separated by commas: {', '.join(FEATURES)}.",
        show_default="all but lyrics and concept",
        rich_help_panel=LISTENING,
    ),
]
Words = Annotated[
    Path | None,
    typer.Option(
        "--lyrics",
        metavar="FILE",
        help="The song's words, to be aligned: plain text, LRC or SRT.",
        rich_help_panel=LISTENING,
    ),
]
Transcribe = Annotated[
    bool,
    typer.Option(
        "--transcribe", help="Write the words down where none are given.", rich_help_panel=LISTENING
    ),
]
Language = Annotated[
    str,
    typer.Option(
        metavar="TAG",
        help="Language of the words, such as en or pt-BR.",
        show_default="found out",
        rich_help_panel=LISTENING,
    ),
]
Concept = Annotated[
    bool,
    typer.Option(
        "--concept",
        help="Ask an audio language model for a concept, where one is set up.",
        rich_help_panel=LISTENING,
    ),
]
MinTempo = Annotated[
    float,
    typer.Option(
        metavar="BPM",
        help="Lowest tempo to look for.",
        show_default="the analyzer's",
        rich_help_panel=LISTENING,
    ),
]
MaxTempo = Annotated[
    float,
    typer.Option(
        metavar="BPM",
        help="Highest tempo to look for.",
        show_default="the analyzer's",
        rich_help_panel=LISTENING,
    ),
]
MaxTags = Annotated[
    int,
    typer.Option(
        metavar="NUMBER",
        help="Tags to keep of the song and of each section.",
        show_default="12",
        rich_help_panel=LISTENING,
    ),
]
Llm = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Serve this language model with vLLM and let it write: a folder, or an id of the hub."
        " Needs `make setup-vllm`.",
        rich_help_panel=WRITER,
    ),
]
VideoModel = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Film with this diffusion model: a folder in diffusers' layout, or an id of the hub."
        " Needs `make setup-torch`.",
        show_default="the built-in renderer",
        rich_help_panel=FILM,
    ),
]
LlmUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Let the language model write that answers there, such as http://gpu:8000/v1.",
        rich_help_panel=WRITER,
    ),
]
LlmModel = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The model's name at --llm-url.",
        show_default="the only one there",
        rich_help_panel=WRITER,
    ),
]
