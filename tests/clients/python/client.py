"""A client written against the generated models alone.

It starts the sidecar given on its command line, holds one short call on the mock line, decodes
every message with the generated models, and prints what it saw as one JSON document.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import voicecall
from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)


def decode(model: type[Model], raw: Any) -> Model:
    """`raw` as the model; a member the model does not know, or an altered one, is a fault."""
    instance = model.model_validate(raw)
    again = instance.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if again != raw:
        raise SystemExit(f"{model.__name__} does not keep {json.dumps(raw)}")
    return instance


class Client:
    """One sidecar on a pipe; reads only while it waits for something."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ready: voicecall.SidecarReady | None = None
        self.events: list[voicecall.Event] = []
        self.answers: dict[int, dict[str, Any]] = {}
        self.next_id = 1

    def call(self, method: str, params: BaseModel, result: type[Model]) -> Model:
        request_id = self.next_id
        self.next_id += 1
        message = {
            "jsonrpc": "2.0",
            "id": request_id,
            "method": method,
            "params": params.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        self.read_until(lambda: request_id in self.answers)
        answer = self.answers.pop(request_id)
        if "error" in answer:
            error = decode(voicecall.ErrorObject, answer["error"])
            raise SystemExit(f"{method}: {error.message}")
        return decode(result, answer["result"])

    def seen(self, kind: type[Model]) -> Model | None:
        return next((event.root for event in self.events if isinstance(event.root, kind)), None)

    def wait_for(self, kind: type[Model]) -> Model:
        self.read_until(lambda: self.seen(kind) is not None)
        event = self.seen(kind)
        assert event is not None
        return event

    def read_until(self, happened: Callable[[], bool]) -> None:
        while not happened():
            self.read()

    def read(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the sidecar closed its output")
        message = json.loads(line)
        if message.get("method") == "sidecar.ready":
            self.ready = decode(voicecall.SidecarReady, message["params"])
        elif message.get("method") == "voicecall.event":
            self.events.append(decode(voicecall.Event, message["params"]))
        else:
            self.answers[message["id"]] = message

    def close(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait()


def main() -> None:
    client = Client(sys.argv[1:])
    client.read_until(lambda: client.ready is not None)
    assert client.ready is not None
    first = client.ready.last_seq + 1
    hello = client.call(
        "initialize",
        voicecall.InitializeParams(
            protocol_version=1,
            client=voicecall.ClientIdentity(name="python", version="1"),
            capabilities=voicecall.ClientCapabilities(
                events=voicecall.EventOptions(since=client.ready.last_seq)
            ),
        ),
        voicecall.InitializeResult,
    )
    call_id = client.call(
        "voicecall.initiate",
        voicecall.InitiateParams(
            message="Your table is booked.",
            to="+15550001234",
            mode=voicecall.CallMode.conversation,
            metadata={"order": "4711"},
        ),
        voicecall.InitiateResult,
    ).call_id
    client.wait_for(voicecall.CallActiveEvent)
    answer = client.call(
        "voicecall.continue",
        voicecall.ContinueParams(call_id=call_id, message="At seven?"),
        voicecall.ContinueResult,
    )
    status = client.call(
        "voicecall.status", voicecall.StatusParams(call_id=call_id), voicecall.StatusResult
    )
    assert status.call is not None
    client.call("voicecall.end", voicecall.EndParams(call_id=call_id), voicecall.EndResult)
    ended = client.wait_for(voicecall.CallEndedEvent)
    client.call("events.ack", voicecall.AckParams(seq=ended.seq), voicecall.EmptyResult)
    client.call("voicecall.history", voicecall.HistoryParams(), voicecall.HistoryResult)
    client.call("voicecall.latency", voicecall.LatencyParams(), voicecall.LatencyResult)
    client.call("voicecall.setup", voicecall.SetupParams(), voicecall.SetupResult)
    client.call("sidecar.ping", voicecall.EmptyParams(), voicecall.PingResult)
    client.call("sidecar.stats", voicecall.EmptyParams(), voicecall.StatsResult)
    client.call("events.replay", voicecall.ReplayParams(since=0), voicecall.ReplayResult)
    exit_code = client.close()
    seqs = [event.root.seq for event in client.events if hasattr(event.root, "seq")]
    print(
        json.dumps(
            {
                "resync": hello.resync,
                "transcript": answer.transcript,
                "metadata": status.call.metadata,
                "reason": ended.reason,
                "state": ended.call.model_dump(mode="json")["state"],
                "types": [event.root.type for event in client.events],
                "consecutive": seqs == list(range(first, first + len(seqs))),
                "exitCode": exit_code,
            }
        )
    )


if __name__ == "__main__":
    main()
