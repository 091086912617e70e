"""The tick log: keeps ticks in order, by partition and offset."""
