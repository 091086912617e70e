"""The kinds of settings: addresses, certificates, the `.env` file, files with secrets."""
