"""A carrier to rehearse against: it plays the telephone company and the person at the far end.

It stands outside the house. It is built from what carriers publish, not from our own carrier
rooms, so that it can find their mistakes; nothing of the product but `cli` uses it.
"""
