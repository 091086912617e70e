"""What a setting's text has to look like: addresses, and the `.env` file."""
