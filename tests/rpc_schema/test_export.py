"""What `schemas/` holds, and the rules that keep generated clients clean."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from sidecar.rpc import export
from sidecar.rpc.export.shapes import bundle, config_schema, definitions
from sidecar.rpc.schema import Event, InitiateParams, SidecarReady, StatusResult, to_wire
from sidecar.rpc.schema.catalogue import client_methods

SCHEMAS = Path(__file__).parents[2] / "schemas"
FILES = {
    "README.md",
    "config.schema.json",
    "errors.json",
    "events.schema.json",
    "methods.json",
    "openrpc.json",
    "voice_call.tool.json",
    "voicecall.schema.json",
}


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return export.build()


def walk(shape: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(shape, dict):
        yield path, shape
        for key, value in shape.items():
            yield from walk(value, f"{path}/{key}")
    elif isinstance(shape, list):
        for index, value in enumerate(shape):
            yield from walk(value, f"{path}/{index}")


def members() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, shape in definitions().items():
        for member, inner in shape.get("properties", {}).items():
            yield name, member, inner


# -- the files -------------------------------------------------------------------------------------


def test_schemas_of_the_repository_are_up_to_date() -> None:
    assert export.check(SCHEMAS) == []


def test_every_promised_file_is_built(files: dict[str, str]) -> None:
    assert {name for name in files if "/" not in name} == FILES
    examples = {name for name in files if name.startswith("examples/")}
    assert examples == {f"examples/{name}.json" for name in definitions()}
    assert set(files) == FILES | examples


def test_building_twice_gives_the_same_bytes(files: dict[str, str]) -> None:
    assert export.build() == files


def test_json_files_have_sorted_keys_two_spaces_and_lf(files: dict[str, str]) -> None:
    for name, text in files.items():
        assert text.endswith("\n")
        assert "\r" not in text
        if name.endswith(".json"):
            again = json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False)
            assert again + "\n" == text


def test_check_tells_what_is_missing_stale_and_left_over(tmp_path: Path) -> None:
    assert "errors.json" in export.write(tmp_path)
    assert export.check(tmp_path) == []
    (tmp_path / "errors.json").unlink()
    (tmp_path / "methods.json").write_text("[]\n")
    (tmp_path / "examples" / "Gone.json").write_text("{}\n")
    assert export.check(tmp_path) == [
        "errors.json is missing.",
        "methods.json is stale.",
        "examples/Gone.json is left over.",
    ]
    export.write(tmp_path)
    assert export.check(tmp_path) == []


def test_check_of_a_directory_that_does_not_exist_says_so_for_every_file(tmp_path: Path) -> None:
    assert "README.md is missing." in export.check(tmp_path / "nowhere")


def test_every_schema_is_valid(files: dict[str, str]) -> None:
    for name in ("voicecall.schema.json", "events.schema.json", "config.schema.json"):
        document = json.loads(files[name])
        assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        Draft202012Validator.check_schema(document)


def test_bundle_root_is_a_catalogue_of_all_types() -> None:
    root = bundle()
    assert (root["title"], root["type"]) == ("VoicecallProtocol", "object")
    assert root["additionalProperties"] is False
    targets = [inner["$ref"] for inner in root["properties"].values()]
    assert targets == [f"#/$defs/{name}" for name in root["$defs"]]


def test_every_example_is_valid(files: dict[str, str]) -> None:
    types = bundle()["$defs"]
    for name in types:
        validator = Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": types})
        validator.validate(json.loads(files[f"examples/{name}.json"]))


def test_models_read_their_examples_and_write_them_back(files: dict[str, str]) -> None:
    for model in (Event, InitiateParams, SidecarReady, StatusResult):
        example = json.loads(files[f"examples/{model.__name__}.json"])
        assert to_wire(TypeAdapter(model).validate_python(example)) == example


def test_events_schema_is_the_event_union_with_its_closure(files: dict[str, str]) -> None:
    document = json.loads(files["events.schema.json"])
    assert document["$ref"] == "#/$defs/Event"
    Draft202012Validator(document).validate(json.loads(files["examples/CallEndedEvent.json"]))
    assert "InitiateParams" not in document["$defs"]


def test_methods_index_is_flat_and_complete(files: dict[str, str]) -> None:
    types = definitions()
    for row in json.loads(files["methods.json"]):
        assert set(row) == {
            "method",
            "name",
            "direction",
            "kind",
            "params",
            "result",
            "errors",
            "since",
        }
        assert row["params"] in types
        assert (row["kind"] == "request") == (row["result"] in types)


def test_errors_have_code_kind_retryable_and_text(files: dict[str, str]) -> None:
    rows = json.loads(files["errors.json"])
    assert all(set(row) == {"code", "kind", "retryable", "text"} for row in rows)
    assert {row["kind"] for row in rows if row["retryable"]} == {"carrierUnavailable", "overloaded"}


def test_tool_is_complete_in_itself(files: dict[str, str]) -> None:
    tool = json.loads(files["voice_call.tool.json"])
    assert tool["name"] == "voice_call"
    assert "$ref" not in files["voice_call.tool.json"]
    Draft202012Validator(tool["parameters"]).validate({"mode": "status", "sid": "c1"})


# -- the OpenRPC document --------------------------------------------------------------------------


def test_openrpc_has_every_client_request_with_an_example() -> None:
    document = export.openrpc()
    assert document["openrpc"] == "1.2.6"
    assert [method["name"] for method in document["methods"]] == list(client_methods())
    for method in document["methods"]:
        schemas = {param["name"]: param["schema"] for param in method["params"]}
        for example in method["examples"]:
            for pair in example["params"]:
                Draft202012Validator(schemas[pair["name"]]).validate(pair["value"])
            Draft202012Validator(method["result"]["schema"]).validate(example["result"]["value"])
        assert all({"code", "message", "data"} == set(error) for error in method["errors"])


def test_openrpc_needs_no_other_document() -> None:
    assert not [path for path, shape in walk(export.openrpc()) if "$ref" in shape]


def test_a_sidecar_that_nobody_asks_never_loads_the_exporter() -> None:
    program = (
        "import sys, sidecar.rpc.export, sidecar.rpc.schema; "
        "print([name for name in sys.modules if name.startswith('sidecar.rpc.export.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"


def test_openrpc_is_what_the_file_holds(files: dict[str, str]) -> None:
    assert json.loads(files["openrpc.json"]) == export.openrpc()


# -- the rules of the contract ---------------------------------------------------------------------


def test_nothing_stands_beside_a_ref() -> None:
    assert not [path for path, shape in walk(definitions()) if "$ref" in shape and len(shape) > 1]


def test_models_have_titles_and_properties_have_none() -> None:
    for name, shape in definitions().items():
        if shape.get("type") == "object":
            assert shape["title"] == name
    assert [(name, member) for name, member, inner in members() if "title" in inner] == []


def test_integers_are_64_bits_and_numbers_are_doubles() -> None:
    for path, shape in walk({"wire": bundle(), "config": config_schema()}):
        if shape.get("type") == "integer":
            assert shape.get("format") == "int64", path
        if shape.get("type") == "number":
            assert shape.get("format") == "double", path


def test_optional_members_have_neither_null_branch_nor_null_default() -> None:
    for name, shape in definitions().items():
        for member, inner in shape.get("properties", {}).items():
            assert inner.get("default", 0) is not None, (name, member)
            if {"type": "null"} in inner.get("anyOf", []):
                assert member in shape["required"], (name, member)


def test_only_ready_may_hold_null() -> None:
    null = {"type": "null"}
    assert {name for name, _, inner in members() if null in inner.get("anyOf", [])} == {
        "SidecarReady",
        "WebSocketDoor",
    }


def test_discriminators_are_required_constants() -> None:
    for name, ref in definitions()["Event"]["discriminator"]["mapping"].items():
        shape = definitions()[ref.rpartition("/")[2]]
        assert shape["properties"]["type"] == {"const": name, "type": "string"}
        assert "type" in shape["required"]


def test_only_params_of_clients_are_closed() -> None:
    closed = {
        name for name, shape in definitions().items() if shape.get("additionalProperties") is False
    }
    params = {name for name in definitions() if name.endswith("Params")}
    # The handshake ignores what it does not know; the sidecar's own params may grow.
    assert closed == params - {"InitializeParams", "AgentRespondParams"}


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("CallRecord", "state"),
        ("CallRecord", "endReason"),
        ("ErrorDetails", "kind"),
        ("CallWarningEvent", "code"),
    ],
)
def test_open_sets_accept_what_is_new(name: str, member: str) -> None:
    known, new = definitions()[name]["properties"][member]["anyOf"]
    assert known["enum"]
    assert new == {"type": "string"}


def test_no_type_name_ends_in_a_digit_or_tells_of_a_mode() -> None:
    for name in definitions():
        assert name.isidentifier()
        assert not name[-1].isdigit()


def test_no_type_has_an_id_or_is_a_tuple() -> None:
    for path, shape in walk(definitions()):
        assert "$id" not in shape, path
        assert "prefixItems" not in shape, path
