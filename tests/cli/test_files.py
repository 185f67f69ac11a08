"""`schema` and `import`."""

import json
from pathlib import Path

from tests.cli.program import Program


def test_schemas_are_written_and_then_up_to_date(voicecall: Program, tmp_path: Path) -> None:
    out = str(tmp_path / "schemas")
    written = voicecall.document("schema", "--out", out)["written"]
    assert "openrpc.json" in written
    assert voicecall.document("schema", "--out", out, "--check") == {"ok": True, "problems": []}


def test_stale_schemas_are_code_1(voicecall: Program, tmp_path: Path) -> None:
    out = tmp_path / "schemas"
    voicecall.document("schema", "--out", str(out))
    (out / "errors.json").write_text("[]")
    done = voicecall.run("schema", "--out", str(out), "--check")
    assert done.code == 1
    assert done.document["problems"] == ["errors.json is stale."]
    assert f"schema --out {out}" in done.err


def test_schemas_that_cannot_be_written_are_code_1(voicecall: Program, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = voicecall.run("schema", "--out", str(tmp_path / "file"))
    assert done.code == 1
    assert str(tmp_path / "file") in done.err


def test_an_old_log_is_imported_once(voicecall: Program, tmp_path: Path) -> None:
    record = {
        "callId": "old-1",
        "provider": "twilio",
        "direction": "inbound",
        "state": "completed",
        "from": "+15550001111",
        "to": "+15550002222",
        "startedAt": 1_700_000_000_000,
    }
    log = tmp_path / "calls.jsonl"
    log.write_text(json.dumps(record) + "\nnonsense\n")
    first = voicecall.document("import", str(log))
    assert (first["imported"], first["skipped"]) == (1, 0)
    assert first["problems"] == ["line 2 is not JSON"]
    assert voicecall.document("import", str(log))["skipped"] == 1
    assert voicecall.document("history")["calls"][0]["callId"] == "old-1"


def test_a_log_of_which_nothing_can_be_read_is_code_1(voicecall: Program, tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    log.write_text("nonsense\n")
    assert voicecall.run("import", str(log)).code == 1
    assert voicecall.run("import", str(tmp_path / "none.jsonl")).code == 1
