"""The commands that act on a call: `continue`, `speak`, `dtmf`, `transfer`, `end`."""

from typing import Annotated

import typer

from sidecar.cli.commands.options import (
    CallIdOption,
    ConfigOption,
    JsonOption,
    MessageOption,
    given,
)
from sidecar.cli.exits import run


def continue_call(
    call_id: CallIdOption,
    message: MessageOption,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say something and wait for the answer."""
    from sidecar.cli.verbs import ask

    params = given(callId=call_id, message=message)
    run(lambda output: ask(output, config, "voicecall.continue", params), as_json)


def speak(
    call_id: CallIdOption,
    message: MessageOption,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say something without waiting for an answer."""
    from sidecar.cli.verbs import ask

    params = given(callId=call_id, message=message)
    run(lambda output: ask(output, config, "voicecall.speak", params), as_json)


def dtmf(
    call_id: CallIdOption,
    digits: Annotated[
        str,
        typer.Option("--digits", metavar="KEYS", help="0-9 A-D * #; w waits 0.5 s, W waits 1 s."),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Press keys on the call."""
    from sidecar.cli.verbs import ask

    params = given(callId=call_id, digits=digits)
    run(lambda output: ask(output, config, "voicecall.dtmf", params), as_json)


def transfer(
    call_id: CallIdOption,
    to: Annotated[
        str,
        typer.Option("--to", "-t", metavar="NUMBER", help="A number that outbound.allowTo names."),
    ],
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="What to say before.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand the call over to another number."""
    from sidecar.cli.verbs import ask

    params = given(callId=call_id, to=to, message=message)
    run(lambda output: ask(output, config, "voicecall.transfer", params), as_json)


def end(
    call_id: CallIdOption,
    after_playout: Annotated[
        bool, typer.Option("--after-playout", help="Let what is being said be finished first.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hang up; a call that has already ended is fine."""
    from sidecar.cli.verbs import ask

    params = given(callId=call_id, afterPlayout=after_playout or None)
    run(lambda output: ask(output, config, "voicecall.end", params), as_json)
