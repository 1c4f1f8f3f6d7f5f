"""`python -m soundsight_gateway` and `soundsight-gateway`."""

from __future__ import annotations

from soundsight_gateway.app import serve
from soundsight_gateway.settings import GatewaySettings
from soundsight_kit.main import service_main


def main() -> None:
    """Runs the gateway as its settings say."""
    service_main(
        name="gateway",
        purpose="The render API of Soundsight: durable renders from song to video.",
        settings=GatewaySettings,
        serve=serve,
    )


if __name__ == "__main__":
    main()
