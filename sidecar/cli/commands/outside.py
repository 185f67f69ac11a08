"""The commands to the world outside: `expose`, `simulate`."""

from typing import Annotated, Literal

import typer

from sidecar.cli.commands.options import ConfigOption, JsonOption
from sidecar.cli.exits import run


def expose(
    mode: Annotated[
        Literal["off", "serve", "funnel"],
        typer.Option("--mode", help="serve: your tailnet. funnel: everybody. off: nobody."),
    ],
    path: Annotated[
        str | None, typer.Option("--path", help="Public path; default `tailscale.path`.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Public port; funnel: 443, 8443 or 10000.")
    ] = None,
    serve_path: Annotated[
        str | None, typer.Option("--serve-path", help="Local path; default `serve.path`.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Expose the webhook and stream paths with Tailscale."""
    from sidecar.cli.outside import expose as publish

    run(lambda output: publish(output, config, mode, path, port, serve_path), as_json)


def simulate(
    script: Annotated[str, typer.Argument(metavar="SCRIPT.yaml", help="What the far end does.")],
    carrier: Annotated[
        Literal["twilio"], typer.Option("--carrier", help="Whom to play.")
    ] = "twilio",
    target: Annotated[
        str, typer.Option("--target", metavar="URL", help="The sidecar's webhook, or its origin.")
    ] = "http://127.0.0.1:3334",
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="PATH", help="Not read: the script has all."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Rehearse calls: play a carrier against a running sidecar, and read what was heard."""
    from sidecar.cli.outside import simulate as rehearse

    run(lambda output: rehearse(output, carrier, script, target), as_json)
