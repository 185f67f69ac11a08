"""From a document to a layer: one voice-call object in today's names, ready to be merged.

A document is a whole Gateway configuration or the bare voice-call object. Old names are moved to
today's before layers are merged, so that an old name in a higher layer still wins over today's name
in a lower one; `written` remembers what the user wrote, for error messages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sidecar.config.model import Config
from sidecar.config.speech import Tts
from sidecar.config.values import Location, Path, dotted, keys_of, merge

Document = dict[str, Any]

_ENTRIES = ("voice-call-sidecar", "voice-call")
_REFUSED_KEYS = frozenset({"__proto__", "constructor", "prototype"})
_DEPTH_MAX = 64
_UNUSED_VOICES = ("edge", "microsoft")
_OWN_KEYS = frozenset(f.alias or name for name, f in Config.model_fields.items()) - {"tts"}
_GATEWAY_NAMES = (
    *("acp", "agent", "agents", "approvals", "audio", "auth", "bindings", "broadcast"),
    *("browser", "canvasHost", "channels", "cli", "commands", "cron", "diagnostics"),
    *("discovery", "env", "gateway", "hooks", "identity", "logging", "media", "memory"),
    *("messages", "meta", "models", "nodeHost", "plugins", "secrets", "session"),
    *("skills", "talk", "tools", "ui", "update", "web", "wizard"),
)
_GATEWAY_KEYS = frozenset(_GATEWAY_NAMES)
_MOVES: tuple[tuple[Path, Path], ...] = (
    (("twilio", "from"), ("fromNumber",)),
    (("streaming", "sttProvider"), ("streaming", "provider")),
    (("streaming", "openaiApiKey"), ("streaming", "providers", "openai", "apiKey")),
    (("streaming", "sttModel"), ("streaming", "providers", "openai", "model")),
    (
        ("streaming", "silenceDurationMs"),
        ("streaming", "providers", "openai", "silenceDurationMs"),
    ),
    (("streaming", "vadThreshold"), ("streaming", "providers", "openai", "vadThreshold")),
    (("stt", "provider"), ("streaming", "provider")),
)


@dataclass(slots=True)
class Layer:
    """One source of configuration. `written` maps a path to the name that the user wrote."""

    values: Document = field(default_factory=dict)
    secret_providers: Document = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    written: dict[Path, str] = field(default_factory=dict)


def read_layer(document: Mapping[str, Any]) -> Layer:
    """The voice-call object of a document, with its core speech settings below its own."""
    layer = Layer()
    copy = _copied(document, (), layer)
    if _is_gateway(copy):
        core, layer.values = _gateway(copy, layer)
    else:
        core, layer.values = {}, copy
    _rename(layer)
    own = _fold_voice(layer.values, ("tts",), layer)
    if own is not None:
        layer.values["tts"] = merge(core, own)
    elif core:
        layer.values["tts"] = core
    numbers = layer.values.get("numbers")
    for number, settings in numbers.items() if isinstance(numbers, dict) else ():
        if isinstance(settings, dict):
            voice = _fold_voice(settings, ("numbers", number, "tts"), layer)
            if voice is not None:
                settings["tts"] = voice
    return layer


def stack(lower: Layer, upper: Layer) -> Layer:
    """`upper` deep-merged over `lower`."""
    written = {p: name for p, name in lower.written.items() if _at(upper.values, p) is None}
    return Layer(
        merge(lower.values, upper.values),
        merge(lower.secret_providers, upper.secret_providers),
        lower.warnings + upper.warnings,
        lower.problems + upper.problems,
        written | upper.written,
    )


def without_nulls(value: Any) -> Any:
    """A null member is an unset one."""
    if not isinstance(value, dict):
        return value
    return {key: without_nulls(member) for key, member in value.items() if member is not None}


def _copied(value: Any, path: Location, layer: Layer) -> Any:
    if len(path) > _DEPTH_MAX:
        layer.problems.append((dotted(path[:1]), f"is nested deeper than {_DEPTH_MAX} levels"))
        return None
    if isinstance(value, list | tuple):
        return [_copied(item, (*path, index), layer) for index, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    copy = {}
    for key, member in value.items():
        if key in _REFUSED_KEYS:
            layer.problems.append((dotted((*path, key)), "this key is refused everywhere"))
        else:
            copy[key] = _copied(member, (*path, key), layer)
    return copy


# -- the whole Gateway configuration --------------------------------------------------------------


def _is_gateway(document: Document) -> bool:
    if "plugins" in document:
        return True
    return not (document.keys() & _OWN_KEYS) and bool(document.keys() & _GATEWAY_KEYS)


def _gateway(document: Document, layer: Layer) -> tuple[Document, Document]:
    """The core speech settings and the voice-call object."""
    core: Document = {}
    for path in (("messages", "tts"), ("tts",)):
        found = _at(document, path)
        if isinstance(found, dict):
            core = merge(core, _core_voice(found, path, layer))
    providers = _at(document, ("secrets", "providers"))
    if isinstance(providers, dict):
        layer.secret_providers = providers
    return core, _entry(document, layer)


def _entry(document: Document, layer: Layer) -> Document:
    for name in _ENTRIES:
        entry = _at(document, ("plugins", "entries", name))
        if entry is None:
            continue
        config = entry.get("config") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(config, dict | None):
            what = "must be an object with enabled and config"
            layer.problems.append((f"plugins.entries.{name}", what))
            return {}
        config = config or {}
        if entry.get("enabled") is not None and config.get("enabled") is not False:
            config["enabled"] = entry["enabled"]
            layer.written["enabled",] = f"plugins.entries.{name}.enabled"
        return config
    return {}


def _core_voice(raw: Document, path: Path, layer: Layer) -> Document:
    """Core speech settings, of which only what calls use is kept: the Gateway has more members."""
    provider = raw.get("provider")
    usable = ("openai", "elevenlabs", "command")
    if isinstance(provider, str) and provider not in (*usable, *_UNUSED_VOICES):
        name = ".".join((*path, "provider"))
        layer.warnings.append(f"{name}: this speech service is not available for calls; ignored")
        raw = {key: value for key, value in raw.items() if key != "provider"}
    voice = _folded(raw, path, ("tts",), layer)
    return dict(_only_known(voice, ()))


def _only_known(value: Any, path: Path) -> Any:
    if not isinstance(value, dict) or "source" in value:
        return value
    return {
        key: _only_known(member, (*path, key))
        for key, member in value.items()
        if (*path, key) in _voice_keys()
    }


def _voice_keys() -> frozenset[Path]:
    return frozenset(path for path, _ in keys_of(Tts)) - {("providers",)}


# -- old and other names --------------------------------------------------------------------------


def _rename(layer: Layer) -> None:
    values = layer.values
    if values.get("provider") == "log":
        values["provider"] = "mock"
        layer.warnings.append('provider: "log" is an old name; use "mock"')
    if _at(values, ("realtime",)) is not None:
        layer.warnings.append("realtime: accepted, but not used yet")
    moves = [*_MOVES]
    model = _model_of_stt(values)
    if model is not None:
        moves.append((("stt", "model"), model))
    for old, new in moves:
        _move(layer, old, new)
    if without_nulls(values.get("stt")) == {}:
        del values["stt"]
    if _at(values, ("streaming", "provider")) == "openai-realtime":
        values["streaming"]["provider"] = "openai"


def _model_of_stt(values: Document) -> Path | None:
    if _at(values, ("stt", "model")) is None:
        return None
    chosen = _at(values, ("stt", "provider")) or _at(values, ("streaming", "provider"))
    service = chosen if chosen in ("deepgram", "elevenlabs") else "openai"
    return ("streaming", "providers", service, "model")


def _move(layer: Layer, old: Path, new: Path) -> None:
    parent = _at(layer.values, old[:-1])
    if not isinstance(parent, dict) or old[-1] not in parent:
        return
    value = parent.pop(old[-1])
    if value is None:
        return
    layer.warnings.append(f"{'.'.join(old)}: this is an old name; use {'.'.join(new)}")
    target: Any = layer.values
    for key in new[:-1]:
        if target.get(key) is None:
            target[key] = {}
        target = target[key]
        if not isinstance(target, dict):
            return
    if target.get(new[-1]) is None:
        target[new[-1]] = value
        layer.written[new] = ".".join(old)


# -- the voice ------------------------------------------------------------------------------------


def _fold_voice(holder: Document, path: Path, layer: Layer) -> Any:
    """Take the `tts` of `holder`, in one shape; None when there is none. A null one must not
    reach the merge, where it would replace."""
    raw = holder.pop("tts", None)
    return _folded(raw, path, path, layer) if isinstance(raw, dict) else raw


def _folded(raw: Document, source: Path, target: Path, layer: Layer) -> Document:
    """`providers.<id>` becomes `<id>`, `speakerVoice` becomes `voice`, voices that do not work on
    the telephone go. `source` is where the settings stood, `target` where they will stand."""
    voice = without_nulls(raw)
    if voice.get("provider") in _UNUSED_VOICES:
        del voice["provider"]
        name = ".".join((*source, "provider"))
        layer.warnings.append(f"{name}: edge and microsoft voices are ignored for calls")
    found: Document = {}
    for base, services in ((("providers",), voice.get("providers")), ((), voice)):
        for name, settings in services.items() if isinstance(services, dict) else ():
            if not base and name == "providers":
                if not isinstance(settings, dict):
                    found[name] = settings
                continue
            origin = (*source, *base, name)
            if name in _UNUSED_VOICES:
                what = "edge and microsoft voices are ignored for calls"
                layer.warnings.append(f"{'.'.join(origin)}: {what}")
                continue
            if isinstance(settings, dict):
                settings = _voice_name(name, settings, (origin, (*target, name)), layer)
            found[name] = merge(found[name], settings) if name in found else settings
            _remember(settings, origin, (*target, name), layer)
    return found


def _voice_name(service: str, settings: Document, at: tuple[Path, Path], layer: Layer) -> Document:
    origin, target = at
    today = {"openai": "voice", "elevenlabs": "voiceId"}.get(service)
    if today is None or "speakerVoice" not in settings:
        return settings
    renamed = {key: value for key, value in settings.items() if key != "speakerVoice"}
    if today not in renamed:
        renamed[today] = settings["speakerVoice"]
        layer.written[(*target, today)] = ".".join((*origin, "speakerVoice"))
    return renamed


def _remember(value: Any, origin: Path, target: Path, layer: Layer) -> None:
    if target in layer.written or origin == target:
        return
    layer.written[target] = ".".join(origin)
    for key, member in value.items() if isinstance(value, dict) else ():
        _remember(member, (*origin, key), (*target, key), layer)


def _at(document: Any, path: Path) -> Any:
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document
