"""The commands that place calls: `call`, `start`, `smoke`, and the demonstration."""

from typing import Annotated

import typer

from sidecar.cli.commands.options import (
    ConfigOption,
    FollowOption,
    JsonOption,
    MessageOption,
    ModeOption,
    given,
)
from sidecar.cli.exits import run

_TO_HELP = "Whom to call, in E.164 form such as +15550001234."


def call(
    message: MessageOption,
    to: Annotated[
        str | None,
        typer.Option("--to", "-t", metavar="NUMBER", help=f"{_TO_HELP} Default: toNumber."),
    ] = None,
    mode: ModeOption = "conversation",
    follow: FollowOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place a call and print its id.

    Without a running sidecar, this process runs one until the call has ended; Ctrl-C hangs up.
    """
    from sidecar.cli.placing.call import Wish, place

    wish = Wish("voicecall.initiate", given(message=message, to=to, mode=mode), follow)
    run(lambda output: place(output, config, wish), as_json)


def start(
    to: Annotated[str, typer.Option("--to", "-t", metavar="NUMBER", help=_TO_HELP)],
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="What to say first.")
    ] = None,
    mode: ModeOption = "conversation",
    follow: FollowOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place a call, with or without a first message, and print its id.

    Without a running sidecar, this process runs one until the call has ended; Ctrl-C hangs up.
    """
    from sidecar.cli.placing.call import Wish, place

    wish = Wish("voicecall.start", given(message=message, to=to, mode=mode), follow)
    run(lambda output: place(output, config, wish), as_json)


def smoke(
    to: Annotated[
        str | None, typer.Option("--to", "-t", metavar="NUMBER", help="Whom to call for real.")
    ] = None,
    message: MessageOption = "This is a test call. Everything works.",
    mode: ModeOption = "notify",
    yes: Annotated[
        bool, typer.Option("--yes", help="Really place the call, which may cost money.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the set-up, then place a real call, only with --to and --yes."""
    from sidecar.cli.placing.call import Wish
    from sidecar.cli.placing.smoke import smoke as check_and_call

    wish = Wish("voicecall.initiate", given(message=message, to=to, mode=mode))
    run(lambda output: check_and_call(output, config, wish, yes), as_json)


def demo(
    speed: Annotated[
        float, typer.Option("--speed", min=0.1, help="2 is twice as fast as people talk.")
    ] = 1.0,
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="PATH", help="Not read: the demonstration has its own."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the events as JSON lines.")] = (
        False
    ),
) -> None:
    """Watch one call on the built-in mock line, from dialling to hang-up.

    It starts a sidecar as a Gateway does and answers for the agent; it needs no account and no
    network, and leaves nothing behind.
    """
    from sidecar.cli.demo import demonstrate

    run(lambda output: demonstrate(output, speed), as_json, plain=True)
