"""Documents: valid XML of exactly the expected structure, for every state a call can be in."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element, fromstring

import pytest

from sidecar.call import events as ev
from sidecar.call.effects import Transfer
from sidecar.call.model import (
    BargeIn,
    Call,
    Detection,
    Direction,
    Mode,
)
from sidecar.providers.twilio import twiml
from sidecar.providers.twilio.twiml import Voice, view
from sidecar.providers.twilio.wire import Links
from tests.support.calls import Talk, a_draft, an_inbound_draft, quick

BASE = "https://voice.example.test/voice/webhook"
LINKS = Links(BASE, lambda: "n1")
VOICE = Voice("Polly.Joanna")
ASKED = {"type", "callId", "n"}


def verbs(call: Call, now_ms: int = 1_000_000, voice: Voice = VOICE) -> list[Element]:
    return list(fromstring(view(call, LINKS, voice, now_ms).document.split("?>", 1)[1]))


def shape(elements: list[Element]) -> list[Any]:
    """Names only, children nested."""
    return [[e.tag, *shape(list(e))] if len(e) else e.tag for e in elements]


def query(address: str | None) -> dict[str, str]:
    assert address is not None
    assert address.startswith(BASE)
    found = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert found.keys() >= ASKED
    return found


def a_notify(**members: Any) -> Call:
    return a_draft(mode=Mode.NOTIFY, greeting="Your taxi is here.", **members)


# -- conversation ---------------------------------------------------------------------------------


def test_a_prompt_is_inside_the_gather_that_hears_its_answer() -> None:
    talk = Talk(a_draft(agent_online=True)).live()
    gather, redirect = verbs(talk.call)
    assert shape([gather, redirect]) == [["Gather", "Say"], "Redirect"]
    said = talk.call.saying
    assert said is not None
    action = query(gather.get("action"))
    assert (action["type"], action["turn"], action["u"]) == (
        "gather",
        talk.call.turn,
        said.utterance_id,
    )
    assert {**gather.attrib, "action": ""} == {
        "action": "",
        "input": "speech dtmf",
        "method": "POST",
        "timeout": "5",
        "speechTimeout": "auto",
        "actionOnEmptyResult": "true",
        "maxSpeechTime": "25",
    }
    assert (gather[0].text, gather[0].attrib) == ("Hello there.", {"voice": "Polly.Joanna"})
    assert query(redirect.text)["type"] == "spoken"
    assert redirect.attrib == {"method": "POST"}


def test_without_anybody_who_waits_for_words_a_prompt_ends_soon() -> None:
    gather, _ = verbs(Talk().live().call)
    assert gather.get("timeout") == "1"
    assert "s" not in query(gather.get("action"))


def test_a_waiter_that_waits_less_is_listened_for_no_longer() -> None:
    talk = Talk(a_draft(limits=quick(transcript_ms=1_500))).listening()
    talk.on(ev.ContinueRequested, "r1", "Name?")
    gather, _ = verbs(talk.call)
    assert gather.get("timeout") == "2"
    assert query(gather.get("action"))["s"] == "2"


@pytest.mark.parametrize(
    "knobs", [BargeIn(enabled=False), BargeIn(protect_greeting=True)], ids=["off", "greeting"]
)
def test_a_prompt_that_must_not_be_interrupted_stands_before_the_gather(knobs: BargeIn) -> None:
    talk = Talk(a_draft(barge_in=knobs)).live()
    assert shape(verbs(talk.call)) == ["Say", "Gather", "Redirect"]


def test_what_is_followed_by_more_of_ours_does_not_wait_for_the_caller() -> None:
    talk = Talk().live().on(ev.SpeakRequested, "r1", "And more.")
    say, redirect = verbs(talk.call)
    assert (say.tag, say.text) == ("Say", "Hello there.")
    asked = query(redirect.text)
    assert asked["type"] == "spoken"
    assert talk.call.saying is not None
    assert asked["u"] == talk.call.saying.utterance_id


def test_the_last_words_do_not_wait_for_the_caller() -> None:
    talk = Talk().live().on(ev.HangupRequested, "r1", after_playout=True)
    assert shape(verbs(talk.call)) == ["Say", "Redirect"]


def test_the_callers_turn_is_a_gather_without_a_prompt() -> None:
    talk = Talk().listening()
    gather, redirect = verbs(talk.call)
    assert shape([gather, redirect]) == ["Gather", "Redirect"]
    assert query(gather.get("action")) == {
        "callId": talk.call.call_id,
        "type": "gather",
        "turn": talk.call.turn,
        "s": "10",
        "n": "n1",
    }
    assert query(redirect.text)["type"] == "hold"


def test_while_an_agent_thinks_the_caller_may_speak_but_need_not() -> None:
    talk = Talk(a_draft(agent_online=True)).listening().on(ev.Heard, "Hello?")
    gather, _ = verbs(talk.call)
    asked = query(gather.get("action"))
    assert (asked["type"], "s" in asked, asked["turn"]) == ("hold", False, talk.call.turn)


def test_a_sentence_of_an_unfinished_reply_is_followed_by_the_next_at_once() -> None:
    talk = Talk(a_draft(agent_online=True)).listening().on(ev.Heard, "Hello?")
    reply = talk.call.reply
    assert reply is not None
    talk.on(ev.ReplyGrew, reply.reply_id, "First sentence. And")
    assert shape(verbs(talk.call)) == ["Say", "Redirect"]
    talk.on(ev.ReplyDone, reply.reply_id).played()
    assert shape(verbs(talk.call)) == [["Gather", "Say"], "Redirect"]


def test_what_is_being_cut_is_not_said_again() -> None:
    talk = Talk().live().on(ev.HangupRequested, "r1", farewell="Goodbye.")
    assert talk.call.cutting
    pause, redirect = verbs(talk.call)
    assert (pause.attrib, query(redirect.text)["type"]) == ({"length": "20"}, "hold")


def test_before_the_talk_begins_we_wait() -> None:
    pause, redirect = verbs(Talk().dialed().on(ev.Answered).call)
    assert (pause.attrib, redirect.tag) == ({"length": "1"}, "Redirect")


def test_a_call_that_ends_or_has_ended_is_hung_up() -> None:
    talk = Talk().live().on(ev.HangupRequested, "r1")
    assert shape(verbs(talk.call)) == ["Hangup"]
    talk.on(ev.LegEnded)
    assert shape(verbs(talk.call)) == ["Hangup"]


def test_an_inbound_greeting_is_a_prompt() -> None:
    assert shape(verbs(Talk(an_inbound_draft()).on(ev.LineLive).call)) == [
        ["Gather", "Say"],
        "Redirect",
    ]


def test_the_language_is_for_both_directions() -> None:
    gather, _ = verbs(Talk().live().call, voice=Voice(None, "de-DE"))
    assert gather.get("language") == "de-DE"
    assert gather[0].attrib == {"language": "de-DE"}


# -- transfer -------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", list(Direction))
def test_a_transfer_dials_with_the_rest_of_the_calls_time(direction: Direction) -> None:
    inbound = direction is Direction.INBOUND
    talk = Talk(an_inbound_draft() if inbound else None)
    (talk.on(ev.LineLive) if inbound else talk.live()).all_said()
    talk.on(ev.TransferRequested, "r1", "+15550003333")
    (effect,) = talk.asked_for(Transfer)
    (dial,) = verbs(talk.call, talk.at_ms)
    assert shape([dial]) == [["Dial", "Number"]]
    assert query(dial.get("action"))["type"] == "dial"
    assert dial.get("timeLimit") == str(effect.time_limit_s)
    assert (dial.get("callerId"), dial.get("timeout")) == ("+15550000000", "30")
    number = dial[0]
    assert number.text == "+15550003333"
    assert query(number.get("statusCallback"))["type"] == "bridge"
    assert number.get("statusCallbackEvent") == "answered"


def test_words_before_a_transfer_are_said_first() -> None:
    talk = Talk().listening().on(ev.TransferRequested, "r1", "+15550003333", text="One moment.")
    assert shape(verbs(talk.call)) == ["Say", "Redirect"]
    talk.played()
    assert shape(verbs(talk.call)) == [["Dial", "Number"]]


def test_a_caller_id_that_is_no_number_is_left_out() -> None:
    talk = Talk().listening().on(ev.TransferRequested, "r1", "+15550003333")
    (dial,) = verbs(replace(talk.call, from_number="client:me"), talk.at_ms)
    assert dial.get("callerId") is None


# -- notify ---------------------------------------------------------------------------------------


def test_a_notify_message_is_said_then_a_pause_then_hung_up() -> None:
    document = twiml.message_document(a_notify(), VOICE)
    assert document == (
        '<?xml version="1.0" encoding="UTF-8"?><Response>'
        '<Say voice="Polly.Joanna">Your taxi is here.</Say><Pause length="3" /><Hangup />'
        "</Response>"
    )


def test_without_a_delay_there_is_no_pause() -> None:
    document = twiml.message_document(a_notify(limits=quick(notify_hangup_ms=0)), VOICE)
    assert document is not None
    assert "Pause" not in document


@pytest.mark.parametrize(
    "call",
    [
        a_draft(),
        a_draft(mode=Mode.NOTIFY, greeting="🙂"),
        a_draft(mode=Mode.NOTIFY, greeting=None),
        a_notify(limits=quick(notify_hangup_ms=20_000)),
        a_notify(detection=Detection.LEAVE_MESSAGE),
        a_notify(streaming=True),
        a_notify(dtmf_sequence="1"),
        a_draft(mode=Mode.NOTIFY, greeting="word " * 800),
    ],
    ids=["talk", "emoji", "nothing", "delay", "machine", "stream", "digits", "long"],
)
def test_other_calls_fetch_their_first_document(call: Call) -> None:
    assert twiml.message_document(call, VOICE) is None


def test_a_fetched_message_tells_when_it_was_said_and_then_waits() -> None:
    talk = Talk(a_notify()).live()
    assert shape(verbs(talk.call)) == ["Say", "Redirect"]
    talk.played()
    pause, hangup = verbs(talk.call)
    assert (pause.attrib, hangup.tag) == ({"length": "8"}, "Hangup")


def test_a_notify_call_that_asks_something_listens() -> None:
    talk = Talk(a_notify()).live().on(ev.ContinueRequested, "r1", "Yes or no?").played()
    assert shape(verbs(talk.call)) == [["Gather", "Say"], "Redirect"]


def test_while_a_machine_greets_we_are_silent() -> None:
    talk = Talk(a_draft(detection=Detection.LEAVE_MESSAGE)).live()
    talk.on(ev.MachineDetected, "voicemail").cut_short()
    assert talk.call.awaiting_beep
    assert shape(verbs(talk.call)) == ["Pause", "Redirect"]
    talk.on(ev.MachineDetected, "voicemail", beep=True)
    assert shape(verbs(talk.call)) == ["Say", "Redirect"]


# -- requests -------------------------------------------------------------------------------------


def fields_of(call: Call) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in twiml.dial_fields(call, LINKS, VOICE):
        found.setdefault(name, []).append(value)
    return found


def test_a_notify_call_brings_its_message_along() -> None:
    fields = fields_of(a_notify())
    assert "Url" not in fields
    assert fields["Twiml"] == [twiml.message_document(a_notify(), VOICE)]
    status = query(fields["StatusCallback"][0])
    assert (status["type"], status["carries"]) == ("status", "message")
    assert fields["StatusCallbackEvent"] == ["initiated", "ringing", "answered", "completed"]
    assert (fields["Timeout"], fields["TimeLimit"]) == (["30"], ["330"])


def test_a_conversation_fetches_its_documents() -> None:
    fields = fields_of(a_draft())
    assert "Twiml" not in fields
    assert query(fields["Url"][0])["type"] == "answer"
    assert "carries" not in query(fields["StatusCallback"][0])
    assert "MachineDetection" not in fields


def test_digits_before_the_conversation_go_out_with_the_call_and_switch_detection_off() -> None:
    fields = fields_of(a_draft(dtmf_sequence="ww12#", detection=Detection.DETECT))
    assert fields["SendDigits"] == ["ww12#"]
    assert query(fields["Url"][0])["digits"] == "sent"
    assert "MachineDetection" not in fields


@pytest.mark.parametrize(
    ("detection", "how"),
    [(Detection.DETECT, "Enable"), (Detection.LEAVE_MESSAGE, "DetectMessageEnd")],
)
def test_machines_are_detected_beside_the_talk(detection: Detection, how: str) -> None:
    fields = fields_of(a_draft(detection=detection))
    assert (fields["MachineDetection"], fields["AsyncAmd"]) == ([how], ["true"])
    assert query(fields["AsyncAmdStatusCallback"][0])["type"] == "amd"


def test_limits_stay_within_twilios() -> None:
    fields = fields_of(a_draft(limits=quick(ring_ms=10**9, max_duration_ms=10**12)))
    assert (fields["Timeout"], fields["TimeLimit"]) == (["600"], ["86400"])


def test_digits_are_sent_and_then_the_call_goes_on() -> None:
    call = Talk().listening().call
    document = twiml.digits_document("1wW#", call, LINKS)
    play, redirect = fromstring(document.split("?>", 1)[1])
    assert (play.tag, play.attrib) == ("Play", {"digits": "1www#"})
    assert query(redirect.text)["type"] == "hold"
    assert twiml.digits_ms("1wW#") == 2_100


def test_a_document_that_is_too_long_to_push_is_fetched() -> None:
    talk = Talk().listening().on(ev.SpeakRequested, "r1", "word. " * 900)
    (url, method) = twiml.update_fields(view(talk.call, LINKS, VOICE, 0), talk.call, LINKS)
    assert url[0] == "Url"
    assert query(url[1])["type"] == "hold"
    assert method == ("Method", "POST")


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("disabled", "rejected"), ("allowlist", "rejected"), ("pairing", "rejected")]
    + [("capacity", "busy")],
)
def test_a_refused_call_is_rejected_unanswered(reason: str, expected: str) -> None:
    document = twiml.refusal_document(reason, None, VOICE)
    assert f'<Response><Reject reason="{expected}" /></Response>' in document


def test_a_caller_with_a_code_hears_it_once() -> None:
    document = twiml.refusal_document("pairing", "Your code is 1 2 3 4 5 6.", VOICE)
    assert shape(list(fromstring(document.split("?>", 1)[1]))) == ["Say", "Hangup"]
