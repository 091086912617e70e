"""A tick: its JSON form, its rules, and the reasons why a record is refused."""
