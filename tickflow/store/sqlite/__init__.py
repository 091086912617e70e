"""The store of the embedded stack, in its one SQLite file."""
