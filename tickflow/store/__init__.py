"""The metrics store: keeps points, and answers the queries of the page."""
