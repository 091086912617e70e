"""The forms that the text of a setting takes: addresses, and the `.env` file."""
