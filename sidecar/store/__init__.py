"""The durable state of one sidecar in one SQLite file: calls, journal, keys, pairings.

`sqlite.SqliteStore` implements the store port; `reader.StoreReader` reads the same file from
another process. What the rows mean to a call is the core's business, not this room's.
"""
