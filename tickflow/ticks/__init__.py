"""A tick: its JSON form, its rules, and the reasons for which a record is refused."""
