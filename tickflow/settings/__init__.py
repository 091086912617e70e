"""The forms of settings: addresses, certificates, the `.env` file, files that hold secrets."""
