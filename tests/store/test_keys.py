"""What the filter of replay keys owes: it never denies a key that is there."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.ports import SeenKey, Write
from sidecar.store import keys
from sidecar.store.keys import KeyFilter
from sidecar.store.sqlite import SqliteStore

FAR_MS = 9_000_000_000_000


@given(st.lists(st.text(max_size=40), max_size=40))
def test_no_key_that_was_added_is_denied(given_keys: list[str]) -> None:
    known = KeyFilter(given_keys[::2])
    for key in given_keys[1::2]:
        known.add(key)
    assert all(known.admits(key) for key in given_keys)


def test_nearly_every_other_key_is_denied_even_when_the_file_is_full() -> None:
    known = KeyFilter(f"here {number}" for number in range(100_000))
    admitted = sum(known.admits(f"not here {number}") for number in range(10_000))
    assert admitted < 20


async def test_keys_of_an_earlier_process_are_found(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    store = SqliteStore(path)
    await store.start(lambda events: None)
    await store.commit(Write(seen=(SeenKey("k", FAR_MS, "answer"), SeenKey("\ud800", FAR_MS))))
    await store.close()
    store = SqliteStore(path)
    await store.start(lambda events: None)
    assert await store.seen("k", 1) == SeenKey("k", FAR_MS, "answer")
    assert await store.seen("\ud800", 1) is not None
    assert await store.seen("other", 1) is None
    await store.close()


async def test_a_renewed_filter_forgets_what_was_deleted_and_keeps_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_CROWDED", 3)
    store = SqliteStore(str(tmp_path / "calls.db"))
    await store.start(lambda events: None)
    await store.commit(Write(seen=(SeenKey("old", 5), SeenKey("older", 4))))
    await store.commit(Write(seen=(SeenKey("new", FAR_MS),)))
    assert store._keys.admits("old")
    await store.prune(0, 10)
    assert not store._keys.admits("old")
    assert not store._keys.crowded
    assert await store.seen("new", 10) is not None
    await store.commit(Write(seen=(SeenKey("newest", FAR_MS),)))
    assert await store.seen("newest", 10) is not None
    await store.close()
