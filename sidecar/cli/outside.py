"""`expose` and `simulate`: what has to do with the world outside the sidecar."""

from pathlib import Path

from sidecar.cli.exits import DONE, FAILED
from sidecar.cli.output import Output
from sidecar.cli.site import Site
from sidecar.config import process_environment
from sidecar.engine.clock import SystemClock
from sidecar.errors import ConfigError, TunnelError


async def expose(
    output: Output,
    config: str | None,
    mode: str,
    path: str | None,
    port: int | None,
    serve_path: str | None,
) -> int:
    """Let Tailscale lead its address to the webhook listener, or no longer."""
    from sidecar.tunnel import expose as publish
    from sidecar.tunnel import local_host

    settings = Site.load(config).loaded.config
    try:
        result = await publish(
            mode,
            path or settings.tailscale.path,
            port or settings.tailscale.port,
            serve_path or settings.serve.path,
            settings.streaming.stream_path,
            f"{local_host(settings.serve.bind)}:{settings.serve.port}",
            SystemClock(),
        )
    except TunnelError as error:
        if error.problem.kind == "invalidParams":
            key = f"--{error.problem.data.get('key', 'mode')}"
            raise ConfigError([(key, error.problem.message)]) from error
        raise
    urls = {"webhookUrl": result.webhook_url, "streamUrl": result.stream_url}
    document = {
        "mode": mode,
        **{name: url for name, url in urls.items() if url is not None},
        "public": result.public,
        "removed": list(result.removed),
    }
    if not output.for_people:
        output.document(document)
    elif mode == "off":
        output.show("Nothing of the sidecar is exposed any more.")
    else:
        whom = "everybody" if result.public else "your tailnet"
        output.show(f"Open to {whom}: {result.webhook_url}\nStreams: {result.stream_url}")
        output.show("Set `publicUrl` to the first address, or `tailscale.mode` to have it done.")
    return DONE


async def simulate(output: Output, carrier: str, script: str, target: str) -> int:
    """Play a carrier against a running sidecar."""
    from sidecar.simulator.command import rehearse
    from sidecar.simulator.script.script import load

    wish = load(Path(script), carrier, process_environment())
    tell = output.show if output.for_people else _silent
    report = await rehearse(wish, target, SystemClock(), tell)
    if output.for_people:
        output.show(report.text())
    else:
        output.document(report.document())
    return DONE if report.ok else FAILED


def _silent(text: str) -> None:
    """Programs get one document, at the end."""
