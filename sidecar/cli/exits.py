"""How a command ends: the exit codes of the contract, and which failure has which."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NoReturn

import typer

from sidecar.cli.output import Output, error_document
from sidecar.errors import ConfigError, SidecarError, StoreError

DONE, FAILED, USAGE, UNREACHABLE, OWNED, STORE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

HOW_TO_START = "Start one with: voicecall serve"

Work = Callable[[Output], Coroutine[Any, Any, int]]


class NoSidecar(Exception):
    """No sidecar can be reached; the text is for a person."""

    def __init__(self, text: str, hint: str = HOW_TO_START) -> None:
        super().__init__(text)
        self.hint = hint


class Refused(Exception):
    """The sidecar answered with an error; `error` is its error object."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("message", "The sidecar gave an error.")))
        self.error = error

    @property
    def data(self) -> Mapping[str, Any]:
        data = self.error.get("data")
        return data if isinstance(data, Mapping) else {}


def run(work: Work, as_json: bool, plain: bool = False) -> NoReturn:
    """Do the work of a command and end the process with its exit code."""
    output = Output(as_json, plain)
    try:
        with asyncio.Runner() as runner:
            code = runner.run(_until_terminated(work(output)))
    except asyncio.CancelledError:
        code = INTERRUPTED
    except NoSidecar as error:
        code = UNREACHABLE
        _report(output, str(error), error.hint, _described(str(error), "noSidecar", error.hint))
    except Refused as error:
        code = STORE if error.data.get("kind") == "storeUnavailable" else FAILED
        _report(output, str(error), error.data.get("hint"), error.error)
    except SidecarError as error:
        code = _report_ours(output, error)
    raise typer.Exit(code)


async def _until_terminated(work: Coroutine[Any, Any, int]) -> int:
    """SIGTERM ends a command as Ctrl-C does: what it has begun is undone first."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _report_ours(output: Output, error: SidecarError) -> int:
    from sidecar.rpc.errors import error_object
    from sidecar.store.owner import OwnedElsewhere

    text = str(error)
    if isinstance(error, ConfigError):
        lines = [f"  {path}: {what}" for path, what in error.problems]
        text = "\n".join(["The configuration has errors:", *lines])
    _report(output, text, None, error_object(error.problem))
    if isinstance(error, ConfigError):
        return USAGE
    if isinstance(error, OwnedElsewhere):
        return OWNED
    return STORE if isinstance(error, StoreError) else FAILED


def _report(output: Output, text: str, hint: str | None, error: Mapping[str, Any]) -> None:
    output.complain(text, hint)
    if not output.for_people:
        output.document(error_document(error))


def _described(text: str, kind: str, hint: str) -> Mapping[str, Any]:
    """The shape of an error object for what never reached a sidecar, and so has no code."""
    return {"message": text, "data": {"kind": kind, "retryable": False, "hint": hint}}
