"""Which replay keys may be in the file: most keys that are asked for were never seen, and that can
be said without asking the file, whose answer costs a webhook two changes of thread.

The keys themselves are in the table `seen`.
"""

from collections.abc import Iterable, Iterator

_BITS = 1 << 23
"""One megabyte. With as many keys as the file keeps, one unknown key in ten thousand is admitted
and looked up in vain."""
_PLACES = 4
_CROWDED = 400_000
"""From so many keys on it pays to begin anew with those that are still in the file."""


class KeyFilter:
    """A key that it denies is not in the file; one that it admits has to be looked up.

    Nothing is ever taken out, so that a key which is being written, or was not, is never denied.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._bits = bytearray(_BITS // 8)
        self._added = 0
        for key in keys:
            self.add(key)

    @property
    def crowded(self) -> bool:
        return self._added >= _CROWDED

    def add(self, key: str) -> None:
        self._added += 1
        for place in _places(key):
            self._bits[place >> 3] |= 1 << (place & 7)

    def admits(self, key: str) -> bool:
        bits = self._bits
        return all(bits[place >> 3] >> (place & 7) & 1 for place in _places(key))


def _places(key: str) -> Iterator[int]:
    # The hash is keyed afresh in every process, so no stranger can choose keys that collide.
    mixed = hash(key)
    step = mixed >> 32 | 1
    for turn in range(_PLACES):
        yield (mixed + turn * step) & (_BITS - 1)
