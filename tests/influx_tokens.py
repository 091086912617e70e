"""Tokens of InfluxDB that may do little."""

from devtools.servers import InfluxServer


def a_token(server: InfluxServer, bucket: str, *actions: str) -> str:
    """A token with these permissions on that bucket and no others."""
    found = server.call("GET", f"/api/v2/buckets?name={bucket}")["buckets"][0]
    may = [{"action": action, "resource": {"type": "buckets", "id": found["id"]}} for action in actions]
    return str(server.call("POST", "/api/v2/authorizations", {"orgID": found["orgID"], "permissions": may})["token"])
