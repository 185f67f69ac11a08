"""From sources to one `Config`: find the file, read it, stack the layers, resolve, fill, validate.

Lowest to highest: defaults, the file, what the client gave in `initialize`; the environment fills
what is still unset; overrides (command-line flags) come last. Every problem is reported at once.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from sidecar.config import environment as env
from sidecar.config.layers import Document, Layer, read_layer, stack, without_nulls
from sidecar.config.model import Config
from sidecar.config.problems import (
    Problems,
    broken_rules,
    explained,
    pruned,
    rule_warnings,
    shown,
)
from sidecar.config.values import Path, merge
from sidecar.errors import ConfigError

_UNSAFE_SKIP = "VOICECALL_UNSAFE_SKIP_VERIFICATION"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, what its user should know, and the file it was read from (if any)."""

    config: Config
    warnings: tuple[str, ...]
    source: str | None


def load_config(
    path: str | None = None,
    *,
    given: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    stdin_document: str | None = None,
) -> Loaded:
    """Load the configuration; raises `ConfigError` with every problem.

    `path` is `--config PATH`; `given` is the client's `initialize.params.config`; `stdin_document`
    is the text that `--config -` read and takes the place of the file.
    """
    environ = env.process_environment() if environ is None else environ
    layer, source = _bottom(path, stdin_document, environ)
    if given is not None:
        layer = stack(layer, read_layer(given))
    resolver = env.Resolver(environ, layer.secret_providers)
    values = resolver.resolve(without_nulls(layer.values))
    filled = env.fill(values, environ)
    layer.problems += [(shown(at, layer.written), what) for at, what in resolver.problems]
    config = _validated(values, layer, filled, environ)
    return Loaded(config, (*layer.warnings, *rule_warnings(config)), source)


def with_overrides(
    config: Config, overrides: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> Config:
    """`config` with flags over it: `overrides` is a nested object of wire names."""
    environ = env.process_environment() if environ is None else environ
    layer = read_layer(overrides)
    values = config.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
    values = without_nulls(merge(values, layer.values))
    return _validated(values, layer, {}, environ)


def _bottom(
    path: str | None, stdin_document: str | None, environ: Mapping[str, str]
) -> tuple[Layer, str | None]:
    if stdin_document is not None:
        return read_layer(_parsed(stdin_document, "standard input")), None
    if path == "-":
        raise ConfigError([("--config", "no document was read from standard input")])
    found = path or environ.get("OPENCLAW_CONFIG_PATH")
    if found:
        source = env.expanded(found, environ)
    else:
        default = env.home_dir(environ) / ".openclaw" / "openclaw.json"
        if not default.exists():
            return Layer(), None
        source = str(default)
    try:
        text = env.read_text(source)
    except env.Unreadable as why:
        raise ConfigError([(source, f"the configuration file {why}")]) from None
    return read_layer(_parsed(text, source)), source


def _parsed(text: str, source: str) -> Document:
    """JSON, else JSON5. Errors tell the line, never the text, which may hold secrets."""
    try:
        document = json.loads(text)
    except RecursionError:
        raise ConfigError([(source, "the document is nested too deeply")]) from None
    except ValueError:
        document = _parsed_json5(text, source)
    if not isinstance(document, dict):
        raise ConfigError([(source, "the document must be an object")])
    return document


def _parsed_json5(text: str, source: str) -> Any:
    # Most files are plain JSON, and start-up is fast without this module.
    import pyjson5

    try:
        return pyjson5.decode(text.removeprefix("\ufeff"), 256)
    except pyjson5.Json5NestingTooDeep:
        raise ConfigError([(source, "the document is nested too deeply")]) from None
    except pyjson5.Json5DecoderException as error:
        where = re.search(r"near ([0-9]+)", str(error.args[0]))
        line = text.count("\n", 0, int(where[1])) + 1 if where else 1
        what = f"the document is not valid JSON5: syntax error near line {line}"
        raise ConfigError([(source, what)]) from None


def _validated(
    values: Document, layer: Layer, filled: dict[Path, str], environ: Mapping[str, str]
) -> Config:
    problems: Problems = list(layer.problems)
    config = _judged(values, layer, filled, problems)
    problems += broken_rules(config, environ.get(_UNSAFE_SKIP) == "1")
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return config


def _judged(values: Document, layer: Layer, filled: dict[Path, str], problems: Problems) -> Config:
    """The configuration, or what remains of it without what is wrong, so that rules across keys
    are judged too. Each round has less to judge; a key already reported is not reported again."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        reported = {field for field, _ in problems}
        found = explained(error, layer.written, filled)
        problems += [(field, what) for field, what in found if field not in reported]
        return _judged(pruned(values, error), layer, filled, problems)
