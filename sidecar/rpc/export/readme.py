"""The text of `schemas/README.md`: how to generate a client from the other files."""

README = """\
# Schemas of voicecall-sidecar

Written by `voicecall schema` from the models of the wire; do not edit. `voicecall schema --check`
fails when they are stale.

| file | what it is |
|---|---|
| `voicecall.schema.json` | for every generator: JSON Schema 2020-12, all types under `$defs` |
| `events.schema.json` | the event union alone, with everything it needs |
| `openrpc.json` | the requests a client may send, each with its errors and an example |
| `methods.json` | every method in both directions; `name` is free of words that languages reserve |
| `errors.json` | the kinds of error with their codes |
| `config.schema.json` | the configuration |
| `voice_call.tool.json` | the tool `voice_call` for agents |
| `examples/` | one valid instance of every type |

The root of the bundle is a catalogue of types, not a message.

## Generate a client

TypeScript

```
npx json-schema-to-typescript -i voicecall.schema.json -o voicecall.d.ts --no-additionalProperties
```

Python

```
datamodel-codegen --input voicecall.schema.json --input-file-type jsonschema \\
  --output voicecall.py --output-model-type pydantic_v2.BaseModel --target-python-version 3.11 \\
  --disable-timestamp --use-annotated --use-standard-collections --use-union-operator \\
  --snake-case-field --allow-population-by-field-name --use-title-as-name --strict-nullable
```

Go, Swift, Kotlin

```
schema='voicecall.schema.json#/$defs/'
npx quicktype -s schema "$schema" -l go --package voicecall -o voicecall.go
npx quicktype -s schema "$schema" -l swift --sendable -o Voicecall.swift
npx quicktype -s schema "$schema" -l kotlin --framework kotlinx -o Voicecall.kt
```

## Read messages

- Look at `type` of a `voicecall.event` first, and skip what you do not know: new event types, new
  members and new values of open sets (an enum beside a plain string) appear within a version.
- Optional means absent. Leave members out instead of sending null; in Python, dump with
  `by_alias=True, exclude_none=True`.
- Times are integers, Unix milliseconds. Use 64 bits.
- Keep the highest `seq` you have handled; `initialize` with `since` gives everything after it.
"""
