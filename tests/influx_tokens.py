"""Tokens of InfluxDB with few permissions."""

from devtools.servers import InfluxServer


def a_token(server: InfluxServer, bucket: str, *actions: str) -> str:
    """A token with these permissions on that bucket and no others."""
    return an_authorization(server, bucket, *actions)[0]


def an_authorization(server: InfluxServer, bucket: str, *actions: str) -> tuple[str, str]:
    """The same, and the id to revoke it by."""
    found = server.call("GET", f"/api/v2/buckets?name={bucket}")["buckets"][0]
    may = [{"action": action, "resource": {"type": "buckets", "id": found["id"]}} for action in actions]
    made = server.call("POST", "/api/v2/authorizations", {"orgID": found["orgID"], "permissions": may})
    return made["token"], made["id"]


def revoke(server: InfluxServer, authorization: str) -> None:
    """Revoke a token for good, by its id."""
    server.call("DELETE", f"/api/v2/authorizations/{authorization}")
