"""How settings are written: addresses, the `.env` file, files that hold secrets."""
