"""Words that prove that what was being said is over, as the answer to a carrier's prompt does."""

from sidecar.call import events as ev
from sidecar.call.model import State
from tests.support.calls import Talk


def a_prompt_with_more_behind_it() -> Talk:
    talk = Talk().listening().on(ev.ContinueRequested, "q1", "And you?")
    return talk.on(ev.SpeakRequested, "q2", "Take your time.")


def played(talk: Talk) -> ev.Spoken:
    said = talk.call.saying
    assert said is not None
    return ev.Spoken(talk.at_ms, said.utterance_id, ev.Outcome.PLAYED, said.text, 100)


def test_an_answer_counts_although_more_is_queued_behind_its_prompt() -> None:
    talk = a_prompt_with_more_behind_it()
    talk.on(ev.Heard, "Fine.", talk.call.turn, after=played(talk))

    assert talk.answer("q1")["transcript"] == "Fine."
    assert [u["outcome"] for u in talk.told("call.utterance")][-1] == "played"
    assert "bargeIn" not in talk.story
    assert talk.said[-1] == "Take your time."
    assert talk.call.state is State.SPEAKING


def test_an_answer_to_the_last_prompt_leaves_the_turn_to_the_caller() -> None:
    talk = Talk().listening().on(ev.ContinueRequested, "q1", "And you?")
    talk.on(ev.Heard, "Fine.", talk.call.turn, after=played(talk))

    assert talk.answer("q1")["transcript"] == "Fine."
    assert talk.story[-3:] == ["utterance", "speech", "listening"]


def test_a_stale_answer_does_not_even_end_what_is_being_said() -> None:
    talk = a_prompt_with_more_behind_it()
    before = talk.call
    talk.on(ev.Heard, "Fine.", "t0-stale", after=played(talk))

    assert talk.call.saying == before.saying
    assert talk.answer("q1") is None


def test_an_answer_that_ends_another_utterance_is_only_words() -> None:
    talk = Talk().listening().on(ev.ContinueRequested, "q1", "And you?")
    other = ev.Spoken(talk.at_ms, "u0-other", ev.Outcome.PLAYED, "Hello.", 100)
    talk.on(ev.Heard, "No, wait a moment.", talk.call.turn, after=other)

    assert "bargeIn" in talk.story
