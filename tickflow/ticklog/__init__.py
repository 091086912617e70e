"""The tick log: where ticks wait, in order, by partition and offset."""
