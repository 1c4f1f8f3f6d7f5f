"""`python -m soundsight_cli` is `soundsight`."""

from soundsight_cli.app import app


def main() -> None:
    """Runs the command line."""
    app(prog_name="soundsight")


if __name__ == "__main__":
    main()
