"""The requests of a browser, and the rows that answer them."""
