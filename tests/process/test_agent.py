"""Auto-responses: the sidecar asks a client for replies and speaks them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.process.harness import Sidecar, WebSocketPeer, sidecar
from tests.process.peer import Peer

CLIENT = {"name": "gateway", "version": "1"}


@contextmanager
def asked(home: Path, **members: Any) -> Iterator[Sidecar]:
    """A sidecar whose parent answers `agent.respond`."""
    with sidecar(home, **{"responseAckMs": 0, **members}) as process:
        process.initialize(capabilities={"agent": True})
        yield process


def words(process: Sidecar, call_id: str, text: str) -> None:
    news = {"type": "call.speech", "callId": call_id, "transcript": text, "isFinal": True}
    assert process.webhook(news) == (200, {"accepted": 1})


def reply(peer: Peer, request: dict[str, Any], **result: Any) -> None:
    peer.send({"jsonrpc": "2.0", "id": request["id"], "result": result})


def delta(peer: Peer, request: dict[str, Any], text: str) -> None:
    peer.notify("agent.delta", {"requestId": request["id"], "text": text})


def said(peer: Peer, call_id: str, since: int = 0) -> list[str]:
    return [e["text"] for e in peer.events(call_id, since) if e["type"] == "call.speaking"]


def test_the_request_says_who_speaks_and_what_was_said(tmp_path: Path) -> None:
    config = {"agentId": "main-agent", "responseModel": "fast", "responseSystemPrompt": "Be kind."}
    with asked(tmp_path, **config) as process:
        call_id = process.listening()
        words(process, call_id, "What time is it?")
        request = process.asked()
        assert request["jsonrpc"] == "2.0"
        assert isinstance(request["id"], str)
        assert request["id"][0].isalpha()
        params = request["params"]
        assert set(params) == {
            "callId",
            "sessionKey",
            "agentId",
            "from",
            "to",
            "direction",
            "message",
            "transcript",
            "model",
            "systemPrompt",
            "timeoutMs",
        }
        assert params["callId"] == call_id
        assert params["sessionKey"] == "agent:main-agent:voice:15550001234"
        assert (params["agentId"], params["model"]) == ("main-agent", "fast")
        assert (params["direction"], params["systemPrompt"]) == ("outbound", "Be kind.")
        assert params["message"] == "What time is it?"
        assert params["timeoutMs"] == 30_000
        assert [entry["speaker"] for entry in params["transcript"]] == ["bot", "user"]
        since = process.mark
        reply(process, request, text="It is noon.")
        process.event("call.listening", call_id, since)
        assert said(process, call_id) == ["Hello.", "It is noon."]
        assert process.event("call.turn", call_id)["latency"]
        process.hang_up(call_id)


def test_the_default_prompt_names_the_caller_and_is_never_spoken(tmp_path: Path) -> None:
    with asked(tmp_path) as process:
        call_id = process.listening()
        words(process, call_id, "Hi.")
        prompt = process.asked()["params"]["systemPrompt"]
        assert "+15550001234" in prompt
        assert "agentId" not in process.asked()["params"]
        assert prompt not in said(process, call_id)


def test_speech_starts_at_the_first_complete_sentence_of_a_stream(tmp_path: Path) -> None:
    with asked(tmp_path) as process:
        call_id = process.listening()
        words(process, call_id, "Tell me a story.")
        request = process.asked()
        since = process.mark
        delta(process, request, "Once upon a time there was")
        process.settle()
        assert said(process, call_id, since) == []
        delta(process, request, " a fox. It was")
        speaking = process.event("call.speaking", call_id, since)
        assert speaking["text"] == "Once upon a time there was a fox."
        delta(process, request, " red. The")
        reply(process, request, text="Once upon a time there was a fox. It was red. The end.")
        process.event("call.listening", call_id, since)
        process.inbox.wait(lambda m: m.get("params", {}).get("text", "").endswith("end."), since)
        whole = " ".join(said(process, call_id, since))
        assert whole == "Once upon a time there was a fox. It was red. The end."
        process.hang_up(call_id)


def test_new_words_make_an_unfinished_reply_stale(tmp_path: Path) -> None:
    with asked(tmp_path) as process:
        call_id = process.listening()
        words(process, call_id, "What is the weather?")
        first = process.asked()
        since = process.mark
        words(process, call_id, "No, what is the time?")
        cancelled = process.notification("$/cancelRequest", since)
        assert cancelled == {"id": first["id"]}
        second = process.asked(since)
        assert second["id"] != first["id"]
        assert second["params"]["message"].endswith("No, what is the time?")
        reply(process, first, text="It rains.")
        delta(process, first, "It rains.")
        reply(process, second, text="It is noon.")
        process.event("call.speaking", call_id, since)
        process.settle()
        assert said(process, call_id, since) == ["It is noon."]
        reply(process, second, text="It is midnight.")
        process.settle()
        assert said(process, call_id, since) == ["It is noon."]
        process.hang_up(call_id)


def test_end_call_ends_after_playout(tmp_path: Path) -> None:
    with asked(tmp_path, mock={"speed": 10.0, "ringMs": 0, "answerMs": 0}) as process:
        call_id = process.listening(message="Hi.")
        words(process, call_id, "Bye.")
        reply(process, process.asked(), text="Goodbye then, and thank you.", endCall=True)
        ended = process.event("call.ended", call_id)
        assert ended["reason"] == "hangup-bot"
        last = [e for e in process.events(call_id) if e["type"] == "call.utterance"][-1]
        assert (last["outcome"], last["heardText"]) == ("played", "Goodbye then, and thank you.")


def test_an_empty_reply_says_nothing_and_an_end_without_text_ends(tmp_path: Path) -> None:
    with asked(tmp_path) as process:
        call_id = process.listening()
        words(process, call_id, "Hm.")
        request = process.asked()
        since = process.mark
        reply(process, request)
        process.settle()
        assert said(process, call_id, since) == []
        words(process, call_id, "That is all.")
        reply(process, process.asked(since), endCall=True)
        assert process.event("call.ended", call_id)["reason"] == "hangup-bot"
        assert said(process, call_id, since) == []


def test_what_is_spoken_is_plain_text(tmp_path: Path) -> None:
    with asked(tmp_path) as process:
        call_id = process.listening()
        for text, spoken in (
            ('{"spoken": "Hello you."}', "Hello you."),
            ('```json\n{"spoken": "Hello fence."}\n```', "Hello fence."),
            ("**Bold** and _soft_ words.", "Bold and soft words."),
            ("<think>secret plan</think>Fine.", "Fine."),
        ):
            since = process.mark
            words(process, call_id, f"Say it {since}.")
            reply(process, process.asked(since), text=text)
            assert process.event("call.speaking", call_id, since)["text"] == spoken
            process.event("call.listening", call_id, since)
        since = process.mark
        words(process, call_id, "Once more.")
        reply(process, process.asked(since), text="Great \U0001f600!")
        assert "\U0001f600" not in process.event("call.speaking", call_id, since)["text"]
        process.hang_up(call_id)


def _warned(process: Sidecar, call_id: str, since: int) -> dict[str, Any]:
    """The warning and the apology that every failure of the agent has; the talk goes on."""
    warning = process.event("call.warning", call_id, since)
    assert warning["code"].startswith("agent")
    assert warning["message"].strip()
    process.event("call.speaking", call_id, since)
    process.event("call.listening", call_id, since)
    assert process.record(call_id)["state"] == "listening"
    return warning


def test_an_error_or_a_malformed_result_is_the_agents_fault(tmp_path: Path) -> None:
    with asked(tmp_path) as process:
        call_id = process.listening()
        for answer in (
            {"error": {"code": -1, "message": "no"}},
            {"result": "text"},
            {"result": {"text": 5}},
            {"result": None},
            {"result": {"endCall": "yes"}},
        ):
            since = process.mark
            words(process, call_id, f"Hello {since}.")
            request = process.asked(since)
            process.send({"jsonrpc": "2.0", "id": request["id"], **answer})
            _warned(process, call_id, since)
        process.hang_up(call_id)
        assert "internalError" not in process.stderr_text
        assert "Traceback" not in process.stderr_text


def test_a_late_reply_is_a_warning_an_apology_and_a_cancel(tmp_path: Path) -> None:
    with asked(tmp_path, responseTimeoutMs=150, phrases={"apology": "Sorry, again?"}) as process:
        call_id = process.listening()
        words(process, call_id, "Hello?")
        request = process.asked()
        since = process.mark
        assert _warned(process, call_id, 0)["code"] == "agentTimeout"
        assert process.notification("$/cancelRequest")["id"] == request["id"]
        assert said(process, call_id)[-1] == "Sorry, again?"
        reply(process, request, text="Too late.")
        process.settle()
        assert "Too late." not in said(process, call_id, since)
        process.hang_up(call_id)


def test_an_acknowledgement_is_spoken_when_it_takes_long(tmp_path: Path) -> None:
    with asked(tmp_path, responseAckMs=100, phrases={"ack": "One moment."}) as process:
        call_id = process.listening()
        words(process, call_id, "Hello?")
        request = process.asked()
        since = process.mark
        process.inbox.wait(lambda m: m.get("params", {}).get("text") == "One moment.", since)
        reply(process, request, text="Here it is.")
        process.inbox.wait(lambda m: m.get("params", {}).get("text") == "Here it is.", since)
        process.hang_up(call_id)


def test_without_such_a_client_there_is_only_the_speech_event(line: Sidecar) -> None:
    call_id = line.listening()
    words(line, call_id, "Anybody there?")
    line.event("call.speech", call_id)
    line.settle()
    assert not [m for m in line.messages if m.get("method") == "agent.respond"]
    assert said(line, call_id) == ["Hello."]
    line.hang_up(call_id)


def offer(process: Sidecar) -> WebSocketPeer:
    peer = process.websocket()
    peer.initialize(capabilities={"agent": True})
    return peer


def test_the_most_recent_client_is_asked_and_then_the_next(tmp_path: Path) -> None:
    with asked(tmp_path) as process:
        second = offer(process)
        call_id = process.listening()
        words(process, call_id, "Hello?")
        reply(second, second.asked(), text="The second speaks.")
        process.inbox.wait(lambda m: m.get("params", {}).get("text") == "The second speaks.")
        process.event("call.listening", call_id)
        second.close()
        process.settle()
        words(process, call_id, "And now?")
        request = process.asked()
        assert request["params"]["message"] == "And now?"
        reply(process, request, text="The first speaks.")
        process.inbox.wait(lambda m: m.get("params", {}).get("text") == "The first speaks.")
        process.hang_up(call_id)


def test_when_the_one_that_was_asked_leaves_the_next_is_asked(tmp_path: Path) -> None:
    with asked(tmp_path) as process:
        second = offer(process)
        call_id = process.listening()
        words(process, call_id, "Hello?")
        second.asked()
        second.close()
        request = process.asked()
        assert request["params"]["message"] == "Hello?"
        reply(process, request, text="I took over.")
        process.inbox.wait(lambda m: m.get("params", {}).get("text") == "I took over.")
        process.hang_up(call_id)


def test_when_the_last_leaves_the_caller_is_asked_to_hold_and_the_reply_asked_for_again(
    tmp_path: Path,
) -> None:
    with sidecar(tmp_path, responseAckMs=0, phrases={"hold": "Please hold."}) as process:
        first = offer(process)
        call_id = process.listening()
        words(process, call_id, "Hello?")
        first.asked()
        first.close()
        process.inbox.wait(lambda m: m.get("params", {}).get("text") == "Please hold.")
        again = offer(process)
        request = again.asked()
        assert request["params"]["message"] == "Hello?"
        reply(again, request, text="Here I am.")
        process.inbox.wait(lambda m: m.get("params", {}).get("text") == "Here I am.")
        process.hang_up(call_id)
        again.close()


def test_the_line_speaks_whenever_it_is_listened_to_when_an_agent_is_there(tmp_path: Path) -> None:
    mock = {"replies": ["One.", "Two."], "hangupAfterReplies": True}
    with asked(tmp_path, mock=mock) as process:
        call_id = process.dial()
        since = 0
        for text in ("One.", "Two."):
            request = process.asked(since)
            since = process.mark
            assert request["params"]["message"] == text
            reply(process, request, text=f"You said {text}")
        assert process.event("call.ended", call_id)["reason"] == "hangup-user"
        assert said(process, call_id) == ["Hello.", "You said One.", "You said Two."]


def test_a_continue_has_the_words_and_no_agent_is_asked(tmp_path: Path) -> None:
    with asked(tmp_path, mock={"replies": []}) as process:
        call_id = process.listening()
        since = process.mark
        process.request("voicecall.continue", {"callId": call_id, "message": "And?"}, id="c")
        process.event("call.listening", call_id, since)
        words(process, call_id, "For you.")
        assert process.result("c")["transcript"] == "For you."
        process.settle()
        assert not [m for m in process.messages if m.get("method") == "agent.respond"]
        process.hang_up(call_id)
