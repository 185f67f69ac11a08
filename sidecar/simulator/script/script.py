"""A whole script: the account, the pace, the quirks and the calls.

```yaml
account: {sid: AC…, token: "${TWILIO_AUTH_TOKEN}"}
calls:
  - to: "+15550002222"            # the sidecar calls this number
    answer: after 2s
    talk:
      - expect heard: "How can I help"
      - say: "A table for two."
      - expect ended: completed
```
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sidecar.errors import ConfigError
from sidecar.simulator.quirks import Quirks
from sidecar.simulator.script.plans import CALL_KEYS, ScriptedCall, call_of
from sidecar.simulator.script.reading import Problems, Table
from sidecar.simulator.script.switches import quirks_of

CARRIERS = ("twilio",)
REST_PORT = 4010
KEYS = "carrier, account, publicUrl, restPort, speed, waitFor, quirks, calls"


@dataclass(frozen=True, slots=True)
class Script:
    """`public_url` is the sidecar's own idea of its address, when it is not where it is reached.
    `wait_s` is how long the sidecar may take to place a call, in real time."""

    carrier: str
    account: Mapping[str, str]
    numbers: frozenset[str] | None
    public_url: str | None
    rest_port: int
    speed: float
    wait_s: float
    quirks: Quirks
    calls: tuple[ScriptedCall, ...]


def load(path: Path, carrier: str, environ: Mapping[str, str]) -> Script:
    """Read a script from a file; raises `ConfigError` with everything that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([(str(path), "the script cannot be read")]) from error
    return parse(text, carrier, environ)


def parse(text: str, carrier: str, environ: Mapping[str, str]) -> Script:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark is not None else "script"
        raise ConfigError([(where, "it is not valid YAML")]) from error
    except (ValueError, OverflowError, RecursionError) as error:
        # Dates and numbers that are none, and nesting without end.
        raise ConfigError(
            [("script", "it holds a date or number that is none, or is nested too deeply")]
        ) from error
    problems = Problems()
    script = _script(Table(document, "", problems), carrier, environ)
    problems.raise_any()
    return script


def _script(table: Table, carrier: str, environ: Mapping[str, str]) -> Script:
    named = table.text("carrier", carrier)
    if named != carrier:
        table.wrong("carrier", f"the script is for {named}, but --carrier is {carrier}")
    if carrier not in CARRIERS:
        table.wrong("carrier", f"it must be one of: {', '.join(CARRIERS)}")
    account, numbers = _account(table.table("account"), environ)
    script = Script(
        carrier=carrier,
        account=account,
        numbers=numbers,
        public_url=table.text("publicUrl"),
        rest_port=table.whole("restPort", REST_PORT),
        speed=_speed(table),
        wait_s=table.seconds("waitFor", 120.0),
        quirks=quirks_of(table.table("quirks")),
        calls=tuple(_calls(table)),
    )
    table.finish(f"{KEYS}; or, for a single call, {CALL_KEYS}")
    return script


def _account(
    table: Table, environ: Mapping[str, str]
) -> tuple[Mapping[str, str], frozenset[str] | None]:
    found = {}
    for key, variable in (("sid", "TWILIO_ACCOUNT_SID"), ("token", "TWILIO_AUTH_TOKEN")):
        value = _filled(table, key, environ) or environ.get(variable)
        if not value:
            table.wrong(key, f"it is missing; give it here or as {variable}")
        found[key] = value or ""
    for key in ("keySid", "keySecret"):
        found[key] = _filled(table, key, environ) or ""
    entries = list(table.items("numbers"))
    for path, entry in entries:
        if not isinstance(entry, str):
            table.problems.add(path, "it must be a number in quotes")
    table.finish("sid, token, keySid, keySecret, numbers")
    return found, frozenset(str(entry) for _, entry in entries) or None


def _filled(table: Table, key: str, environ: Mapping[str, str]) -> str | None:
    """A text with `${NAME}` replaced from the environment."""
    text = table.text(key)

    def value(found: re.Match[str]) -> str:
        if found[1] not in environ:
            table.wrong(key, f"the environment has no variable {found[1]}")
        return environ.get(found[1], "")

    return None if text is None else re.sub(r"\$\{(\w+)\}", value, text)


def _speed(table: Table) -> float:
    value: Any = table.take("speed", 1.0)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1_000:
        return float(value)
    table.wrong("speed", "it must be a number from 0 (as fast as possible) to 1000")
    return 1.0


def _calls(table: Table) -> list[ScriptedCall]:
    if not table.has("calls"):
        return [call_of(Table(table.rest(), "", table.problems))]
    calls = [call_of(Table(entry, path, table.problems)) for path, entry in table.items("calls")]
    if not calls:
        table.wrong("calls", "there must be at least one call")
    return calls
