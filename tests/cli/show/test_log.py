"""Events and records of a log, one line each."""

from sidecar.cli.show.log import event_line, record_line


def test_an_event_is_time_call_type_and_what_it_holds() -> None:
    line = event_line(
        {
            "seq": 12,
            "at": 1_700_000_000_000,
            "type": "call.turn",
            "callId": "0123456789",
            "latency": {"total": 250},
            "text": "two words",
        }
    ).plain
    words = line.split()
    assert (words[0], words[2], words[3]) == ("12", "01234567", "call.turn")
    assert line.endswith("latency total 250  text “two words”")


def test_an_event_of_no_call_has_no_id() -> None:
    assert "None" not in event_line({"at": 0, "type": "sidecar.draining"}).plain


def test_a_record_may_lack_anything() -> None:
    whole = {
        "callId": "a",
        "from": "+15550001111",
        "to": "+15550002222",
        "startedAt": 1_700_000_000_000,
        "state": "listening",
        "endReason": "busy",
    }
    assert record_line(whole).plain.endswith("a  +15550001111 → +15550002222  busy")
    assert "b" in record_line({"callId": "b"}).plain
