"""InfluxDB tokens with few permissions, for tests."""

from devtools.servers import InfluxServer


def a_token(server: InfluxServer, bucket: str, *actions: str) -> str:
    """Make a token that permits only these actions, only on that bucket."""
    return an_authorization(server, bucket, *actions)[0]


def an_authorization(server: InfluxServer, bucket: str, *actions: str) -> tuple[str, str]:
    """Make a token like `a_token`; return it with the id that revokes it."""
    found = server.call("GET", f"/api/v2/buckets?name={bucket}")["buckets"][0]
    may = [{"action": action, "resource": {"type": "buckets", "id": found["id"]}} for action in actions]
    made = server.call("POST", "/api/v2/authorizations", {"orgID": found["orgID"], "permissions": may})
    return made["token"], made["id"]


def revoke(server: InfluxServer, authorization: str) -> None:
    """Delete the token with this id."""
    server.call("DELETE", f"/api/v2/authorizations/{authorization}")
