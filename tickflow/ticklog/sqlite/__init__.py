"""The tick log of the embedded stack, in its SQLite file."""
