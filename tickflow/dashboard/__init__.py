"""The page: its queries, its drawing, its refresh, and the server."""
