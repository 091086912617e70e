"""The page: what is read, how it is drawn, how it is refreshed."""
