"""The rules of a call: pure values and functions, without I/O, clock, randomness or log."""
