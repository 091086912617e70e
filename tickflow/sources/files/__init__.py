"""Files as people have them: recognised by their content, read in bounded memory, turned into columns of ticks.

packing -> text, jsonrows, arrow or dbn (cells) -> recognise (what they mean) -> convert (ticks) -> order, merge.
"""
