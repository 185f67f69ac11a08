"""Set-up of logging: one JSON object per line on stderr, through a bounded queue, without secrets.

Phone numbers are masked and values under keys that begin with `pii_` are dropped, unless the user
asks for them. Nobody waits for a log line: when the reader of stderr stalls, lines are dropped and
counted.
"""

import logging
import os
import queue
import re
import sys
import threading
from collections.abc import MutableMapping
from typing import Any

# structlog loads Rich, for tracebacks on a terminal, whenever it finds it: 0.1 s and 8 MB that a
# process which logs JSON would spend on nothing.
_rich = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402

if _rich is None:
    del sys.modules["rich"]
else:
    sys.modules["rich"] = _rich

KEPT_LINES = 10_000
_NUMBER = re.compile(r"\+(\d{1,4})\d{2,}(\d{4})(?!\d)")
_SHORT_NUMBER = re.compile(r"\+\d{5,7}(?!\d)")

Event = MutableMapping[str, Any]


def mask_numbers(text: str) -> str:
    """`+15551234567` becomes `+1555•••4567`."""
    masked = _NUMBER.sub(lambda match: f"+{match[1]}•••{match[2]}", text)
    return _SHORT_NUMBER.sub("+•••", masked)


class LogWriter:
    """Writes lines to a descriptor from a thread of its own."""

    def __init__(self, fd: int = 2) -> None:
        self._fd = fd
        self._lines: queue.Queue[bytes | None] = queue.Queue(KEPT_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_forever, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        try:
            self._lines.put_nowait(line.encode("utf-8", "replace") + b"\n")
        except queue.Full:
            self._dropped += 1

    def close(self, timeout_s: float = 0.5) -> None:
        """Write out what is queued, within `timeout_s`."""
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _write_forever(self) -> None:
        while (line := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            if dropped:
                line += b'{"event": "log.dropped", "level": "warning", "lines": %d}\n' % dropped
            try:
                while line:
                    line = line[os.write(self._fd, line) :]
            except OSError:
                # Nobody can be told that stderr is gone; the program goes on without it.
                return


class _Sink:
    """The logger that structlog wraps."""

    def __init__(self, writer: LogWriter, pii: bool) -> None:
        self._writer = writer
        self._pii = pii

    def msg(self, line: str) -> None:
        self._writer.write(line if self._pii else mask_numbers(line))

    log = debug = info = warning = error = critical = exception = fatal = msg


class _FromLibraries(logging.Handler):
    """Lines of libraries that use the standard library's logging."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(record.levelno, "library.log", text=record.getMessage(), exc_info=record.exc_info)


def set_up(*, level: str = "info", style: str = "json", pii: bool = False) -> LogWriter:
    """Configure structlog and the standard library's logging for the whole process."""
    writer = LogWriter()
    renderer: Any
    if style == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=os.isatty(2))
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=True)
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _keep_pii if pii else _drop_pii,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *names: _Sink(writer, pii),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_FromLibraries()]
    root.setLevel(max(number, logging.WARNING))
    return writer


def _drop_pii(logger: Any, name: str, event: Event) -> Event:
    for key in [key for key in event if key.startswith("pii_")]:
        del event[key]
    return event


def _keep_pii(logger: Any, name: str, event: Event) -> Event:
    return event
