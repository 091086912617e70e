"""Reads the files that people have: recognises them by content, in bounded memory, and turns them into columns of
ticks.

packing -> text, jsonrows, arrow or dbn (cells) -> recognise (their meaning) -> convert (ticks) -> order, merge.
"""
