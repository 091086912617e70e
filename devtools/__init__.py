"""Tools for developers, such as real servers without Docker."""
