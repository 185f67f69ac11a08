"""What Twilio's callbacks report: recorded shapes, missing and mistyped fields, anything at all."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.call.events import (
    Answered,
    AudioEvent,
    CarrierEvent,
    DigitsHeard,
    DigitsSent,
    Heard,
    LegEnded,
    LineLive,
    MachineDetected,
    Outcome,
    Ringing,
    SilenceHeard,
    Spoken,
    TransferDone,
    TransferFailed,
)
from sidecar.call.model import EndReason
from sidecar.errors import CarrierError
from sidecar.ports import HttpRequest
from sidecar.providers.twilio.wire import Kind, Links, Playing, Reading, parse, read

LEG = "CA000000000000000000000000000000a1"
NOW_MS = 1_800_000_060_000
VOICE = {
    "CallSid": LEG,
    "AccountSid": "AC00000000000000000000000000000001",
    "ApiVersion": "2010-04-01",
    "From": "+15550001111",
    "To": "+15550002222",
    "Caller": "+15550001111",
    "Called": "+15550002222",
    "CallStatus": "in-progress",
    "Direction": "outbound-api",
    "FromCity": "ST. PAUL",
    "FromZip": "",
}
STATUS = {
    **VOICE,
    "SequenceNumber": "2",
    "Timestamp": "Sun, 22 Nov 2026 09:15:02 +0000",
    "CallbackSource": "call-progress-events",
}


def a_request(query: Mapping[str, str | None], form: Mapping[str, str]) -> HttpRequest:
    asked = urlencode({name: value for name, value in query.items() if value is not None})
    url = f"/voice/webhook?{asked}" if asked else "/voice/webhook"
    return HttpRequest("POST", url, {"x-twilio-signature": "s"}, urlencode(form).encode(), "::1")


def reading(
    kind: str | None, form: Mapping[str, str], playing: Playing | None = None, **query: str
) -> Reading:
    if kind is not None:
        query = {"callId": "call-7f", **query}
    return parse(read(a_request({"type": kind, **query}, form)), NOW_MS, playing)


def events(
    kind: str | None, form: Mapping[str, str], playing: Playing | None = None, **query: str
) -> list[CarrierEvent | AudioEvent | None]:
    return [news.event for news in reading(kind, form, playing, **query).news]


# -- status ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("queued", [None]),
        ("initiated", [None]),
        ("ringing", [Ringing(NOW_MS)]),
        ("in-progress", [Answered(NOW_MS)]),
        ("completed", [Answered(NOW_MS), LegEnded(NOW_MS)]),
        ("busy", [LegEnded(NOW_MS, EndReason.BUSY)]),
        ("no-answer", [LegEnded(NOW_MS, EndReason.NO_ANSWER)]),
        ("failed", [LegEnded(NOW_MS, EndReason.FAILED)]),
        ("canceled", [LegEnded(NOW_MS, EndReason.HANGUP_BOT)]),
    ],
)
def test_each_status_means_what_twilio_says(status: str, expected: list[object]) -> None:
    form = {**STATUS, "CallStatus": status}
    assert events("status", form) == expected
    assert reading("status", form).unknown is None


def test_an_unknown_status_is_told_and_final_of_nothing() -> None:
    found = reading("status", {**STATUS, "CallStatus": "on-fire"})
    assert (found.news, found.unknown) == ((), "on-fire")


def test_news_are_about_our_call_and_twilios_leg() -> None:
    (news,) = reading("status", {**STATUS, "CallStatus": "ringing"}).news
    assert (news.call_id, news.provider_call_id, news.leg) == ("call-7f", LEG, None)


def test_a_status_never_brings_a_call_into_being() -> None:
    (news,) = reading(None, {**STATUS, "Direction": "inbound", "CallStatus": "ringing"}).news
    assert news.leg is not None
    for status in ("completed", "busy", "failed"):
        found = reading(None, {**STATUS, "Direction": "inbound", "CallStatus": status}).news
        assert all(news.leg is None for news in found)


def test_a_message_that_went_out_with_the_call_is_live_with_the_answer() -> None:
    assert events("status", STATUS, carries="message") == [LineLive(NOW_MS)]


MESSAGE = Playing("u1", "word " * 60, NOW_MS - 30_000, by_itself=True)


def test_a_message_counts_as_played_when_the_call_lasted_for_it() -> None:
    form = {**STATUS, "CallStatus": "completed", "CallDuration": "24"}
    live, spoken, ended = events("status", form, MESSAGE, carries="message")
    assert live == LineLive(NOW_MS)
    assert spoken == Spoken(NOW_MS, "u1", Outcome.PLAYED, MESSAGE.text, MESSAGE.usual_ms())
    assert ended == LegEnded(NOW_MS, EndReason.HANGUP_BOT)


def test_a_message_was_not_heard_in_a_call_that_was_too_short_for_it() -> None:
    form = {**STATUS, "CallStatus": "completed", "CallDuration": "3"}
    assert events("status", form, MESSAGE, carries="message")[1:] == [LegEnded(NOW_MS)]


@pytest.mark.parametrize("duration", ["", "soon", "-4", "nan", "inf"])
def test_without_a_usable_duration_a_completed_call_played_its_message(duration: str) -> None:
    form = {**STATUS, "CallStatus": "completed", "CallDuration": duration}
    _, spoken, _ = events("status", form, MESSAGE, carries="message")
    assert isinstance(spoken, Spoken)
    assert spoken.outcome is Outcome.PLAYED


def test_a_prompt_long_over_was_played_when_the_caller_hangs_up() -> None:
    form = {**STATUS, "CallStatus": "completed", "CallDuration": "60"}
    long_ago = Playing("u1", "How are you?", NOW_MS - 20_000)
    assert isinstance(events("status", form, long_ago)[1], Spoken)
    just_begun = Playing("u1", "How are you?", NOW_MS - 200)
    assert events("status", form, just_begun)[1:] == [LegEnded(NOW_MS)]


# -- voice ----------------------------------------------------------------------------------------


def test_an_inbound_call_is_a_new_leg_that_is_live_with_our_answer() -> None:
    (news,) = reading(None, {**VOICE, "Direction": "inbound", "CallStatus": "ringing"}).news
    assert news.event == LineLive(NOW_MS)
    assert news.leg is not None
    assert news.leg.provider_call_id == LEG
    assert (news.leg.from_number, news.leg.to_number) == ("+15550001111", "+15550002222")
    assert not news.leg.outbound


def test_a_call_placed_elsewhere_is_adopted_as_outbound() -> None:
    (news,) = reading(None, VOICE).news
    assert news.leg is not None
    assert news.leg.outbound


def test_a_caller_without_a_number_is_a_leg_without_one() -> None:
    form = {name: value for name, value in VOICE.items() if name not in ("From", "To")}
    (news,) = reading(None, form).news
    assert news.leg is not None
    assert (news.leg.from_number, news.leg.to_number) == ("", "")


def test_our_own_call_is_live_when_its_first_document_is_asked_for() -> None:
    assert events("answer", VOICE) == [LineLive(NOW_MS)]
    assert reading("answer", VOICE).news[0].leg is None


def test_digits_before_the_conversation_have_been_sent_by_then() -> None:
    assert events("answer", VOICE, digits="sent") == [LineLive(NOW_MS), DigitsSent(NOW_MS)]


def test_a_call_that_is_over_asks_for_no_document() -> None:
    assert events("answer", {**VOICE, "CallStatus": "completed"}) == [LegEnded(NOW_MS)]


# -- words and digits -----------------------------------------------------------------------------

PROMPT = Playing("u1", "How can I help you today?", NOW_MS - 60_000)


def test_words_tell_how_the_prompt_they_answer_ended() -> None:
    form = {**VOICE, "SpeechResult": "Grüße 🎧", "Confidence": "0.91", "msg": "Gather End"}
    (heard,) = events("gather", form, PROMPT, turn="t2", u="u1", s="5")
    spoken = Spoken(NOW_MS, "u1", Outcome.PLAYED, PROMPT.text, PROMPT.usual_ms())
    assert heard == Heard(NOW_MS, "Grüße 🎧", "t2", 0.91, after=spoken)


def test_words_without_a_turn_have_lost_it() -> None:
    (heard,) = events("gather", {**VOICE, "SpeechResult": "yes"})
    assert isinstance(heard, Heard)
    assert heard.turn == ""


@pytest.mark.parametrize("confidence", ["", "high", "nan", "-1"])
def test_a_confidence_that_is_none_is_left_out(confidence: str) -> None:
    (heard,) = events("gather", {**VOICE, "SpeechResult": "yes", "Confidence": confidence})
    assert isinstance(heard, Heard)
    assert heard.confidence is None


def test_digits_are_digits() -> None:
    found = events("gather", {**VOICE, "Digits": "12*", "FinishedOnKey": "#"}, turn="t", s="10")
    assert found == [DigitsHeard(NOW_MS, "12*")]


@pytest.mark.parametrize("form", [{}, {"SpeechResult": "", "Digits": ""}, {"SpeechResult": "  "}])
def test_nothing_heard_is_silence_of_the_time_we_listened(form: dict[str, str]) -> None:
    found = events("gather", {**VOICE, **form}, turn="t", s="10")
    assert found == [SilenceHeard(NOW_MS, 10_000, "t")]


def test_silence_while_the_bot_thinks_is_not_the_callers() -> None:
    assert events("hold", VOICE, turn="t") == [None]


def test_words_while_the_bot_thinks_count() -> None:
    (heard,) = events("hold", {**VOICE, "SpeechResult": "Hello?"}, turn="t")
    assert isinstance(heard, Heard)


def test_the_redirect_behind_a_text_tells_that_it_was_said() -> None:
    (spoken,) = events("spoken", VOICE, Playing("u1", "Hello.", NOW_MS - 100), u="u1", turn="t")
    assert spoken == Spoken(NOW_MS, "u1", Outcome.PLAYED, "Hello.", 100)


def test_a_text_that_nobody_remembers_settles_without_words() -> None:
    (spoken,) = events("spoken", VOICE, PROMPT, u="u9")
    assert spoken == Spoken(NOW_MS, "u9", Outcome.INTERRUPTED, "", 0)


def test_only_what_would_count_twice_has_a_key() -> None:
    form = {**VOICE, "SpeechResult": "yes", "Digits": "1"}
    found = reading("gather", form, PROMPT, turn="t", u="u1").news
    keys = [news.key for news in found]
    assert keys[0] is not None
    assert keys[0].startswith("twilio:")
    assert keys[1] is None
    assert [n.key for n in reading("gather", form, PROMPT, turn="t", u="u1").news] == keys


def test_a_caller_who_hung_up_meanwhile_ends_the_call() -> None:
    form = {**VOICE, "CallStatus": "completed", "SpeechResult": "Bye"}
    found = events("gather", form, turn="t")
    assert isinstance(found[0], Heard)
    assert found[1] == LegEnded(NOW_MS)


# -- transfer and machines ------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["completed", "answered"])
def test_a_bridge_that_stood_was_a_transfer(status: str) -> None:
    assert events("dial", {**VOICE, "DialCallStatus": status}) == [TransferDone(NOW_MS)]


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled", "asleep", ""])
def test_any_other_outcome_of_a_dial_is_a_failed_transfer(status: str) -> None:
    (failed,) = events("dial", {**VOICE, "DialCallStatus": status})
    assert isinstance(failed, TransferFailed)
    assert failed.why.endswith(".")


def test_the_targets_answer_is_about_our_call_not_about_its_own_leg() -> None:
    form = {**VOICE, "CallSid": "CA000b", "ParentCallSid": LEG, "Direction": "outbound-dial"}
    (news,) = reading("bridge", form).news
    assert (news.event, news.call_id, news.provider_call_id) == (
        TransferDone(NOW_MS),
        "call-7f",
        LEG,
    )
    assert events("bridge", {**form, "CallStatus": "completed"}) == [None]


@pytest.mark.parametrize(
    ("answered_by", "result", "beep"),
    [
        ("human", "human", False),
        ("machine_start", "voicemail", False),
        ("machine_end_beep", "voicemail", True),
        ("machine_end_silence", "voicemail", True),
        ("machine_end_other", "voicemail", True),
        ("fax", "fax", False),
        ("unknown", "unknown", False),
    ],
)
def test_who_answered(answered_by: str, result: str, beep: bool) -> None:
    form = {"CallSid": LEG, "AnsweredBy": answered_by, "MachineDetectionDuration": "4200"}
    assert events("amd", form) == [Answered(NOW_MS), MachineDetected(NOW_MS, result, beep)]


def test_somebody_unheard_of_is_nobody() -> None:
    found = reading("amd", {"CallSid": LEG, "AnsweredBy": "parrot"})
    assert (found.news, found.unknown) == ((), "parrot")


# -- anything -------------------------------------------------------------------------------------


def test_a_webhook_without_a_call_is_malformed() -> None:
    with pytest.raises(CarrierError) as refused:
        read(a_request({"type": "status"}, {"CallStatus": "busy"}))
    assert "CallSid" in refused.value.problem.message


def test_a_type_that_is_not_ours_is_told_and_changes_nothing() -> None:
    found = reading("lunch", VOICE)
    assert [news.event for news in found.news] == [None]
    assert found.unknown == "lunch"


WORDS = st.text(max_size=12) | st.sampled_from(["completed", "in-progress", "0.5", "1e999", "t2"])
NAMES = st.sampled_from(
    [
        "CallSid",
        "CallStatus",
        "CallDuration",
        "SpeechResult",
        "Digits",
        "Confidence",
        "AnsweredBy",
        "DialCallStatus",
        "From",
        "To",
        "Direction",
    ]
)


@given(
    kind=st.sampled_from([*Kind, "other", None]),
    query=st.dictionaries(st.sampled_from(["turn", "u", "s", "n", "carries", "digits"]), WORDS),
    form=st.dictionaries(NAMES, WORDS),
    body=st.none() | st.binary(max_size=40),
)
def test_anything_is_read_or_refused(
    kind: str | None, query: dict[str, str], form: dict[str, str], body: bytes | None
) -> None:
    try:
        asked = a_request({"callId": "c", "type": kind, **query}, form)
    except UnicodeEncodeError:
        return
    if body is not None:
        asked = HttpRequest("POST", asked.url, asked.headers, body, "::1")
    try:
        found = parse(read(asked), NOW_MS, PROMPT)
    except CarrierError:
        return
    assert found.news or found.unknown is not None


def test_an_address_says_what_it_is_for_and_never_twice_the_same() -> None:
    numbers = iter("12")
    links = Links("https://voice.example.test/voice/webhook", lambda: next(numbers))
    first, second = (links.to(Kind.GATHER, "call 7", turn="t&2", s=5) for _ in range(2))
    assert first != second
    query = parse_qs(urlsplit(first).query)
    assert query == {
        "callId": ["call 7"],
        "type": ["gather"],
        "turn": ["t&2"],
        "s": ["5"],
        "n": ["1"],
    }
    assert (
        Links("https://a.test/w?k=v", lambda: "1")
        .to(Kind.HOLD, "c")
        .startswith("https://a.test/w?k=v&callId=c")
    )
