"""The commands that look at calls: `status`, `history`, `tail`, `latency`.

They ask the running sidecar; without one they read the store.
"""

from typing import Annotated

import typer

from sidecar.cli.commands.options import ConfigOption, JsonOption, OneCallOption, given
from sidecar.cli.exits import run

FileOption = Annotated[
    str | None,
    typer.Option(
        "--file", metavar="PATH", help="Read this JSONL log (events or call records) instead."
    ),
]


def status(
    call_id: Annotated[
        str | None,
        typer.Option("--call-id", metavar="ID", help="This call: our id, or the carrier's."),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one call, or all active ones."""
    from sidecar.cli.looking.stored import status as show_status

    params = given(callId=call_id)
    run(lambda output: show_status(output, config, params), as_json)


def history(
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=500, metavar="N", help="How many calls.")
    ] = 50,
    from_number: Annotated[
        str | None, typer.Option("--from", metavar="NUMBER", help="Only calls from this number.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="NUMBER", help="Only calls to this number.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="STATE", help="Only calls in this state, or ended so."),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List calls, newest first."""
    from sidecar.cli.looking.stored import history as show_history

    params = {"limit": limit, **given(**{"from": from_number, "to": to, "state": state})}
    run(lambda output: show_history(output, config, params), as_json)


def tail(
    since: Annotated[
        int, typer.Option("--since", min=0, metavar="N", help="How many past events first.")
    ] = 25,
    call_id: OneCallOption = None,
    file: FileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the last events, then live ones; as JSON, one event per line.

    Without a running sidecar there are no live ones, and it ends.
    """
    from sidecar.cli.looking.tail import tail as follow_events
    from sidecar.cli.looking.tail import tail_file

    if file is not None:
        source = file
        run(lambda output: tail_file(output, source, since, call_id), as_json)
    run(lambda output: follow_events(output, config, since, call_id), as_json)


def latency(
    last: Annotated[
        int, typer.Option("--last", min=1, max=10_000, metavar="N", help="How many turns.")
    ] = 200,
    file: FileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how fast the turns of calls were."""
    from sidecar.cli.looking.stored import latency as show_latency

    run(lambda output: show_latency(output, config, last, file), as_json)
