"""For developers: real servers without Docker."""
