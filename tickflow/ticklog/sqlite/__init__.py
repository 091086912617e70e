"""The tick log of the embedded stack, in its one SQLite file."""
