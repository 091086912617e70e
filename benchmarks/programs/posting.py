"""Writes line protocol to InfluxDB in the plainest way: one POST per batch over a kept connection; a refusal raises."""

import os

import urllib3


class Posting:
    """Posts to the bucket that the environment names. Thread-safe, with a connection for each of up to four threads."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(maxsize=4, retries=False)
        self._headers = {"Authorization": f"Token {os.environ['INFLUXDB_TOKEN']}"}
        org, bucket = os.environ["INFLUXDB_ORG"], os.environ["INFLUXDB_BUCKET"]
        self._url = f"{os.environ['INFLUXDB_URL']}/api/v2/write?org={org}&bucket={bucket}&precision=ns"

    def post(self, lines: bytes) -> None:
        """Write newline-separated line protocol. Raises `RuntimeError` if InfluxDB refuses them."""
        answer = self._pool.request("POST", self._url, body=lines, headers=self._headers)
        if answer.status != 204:
            raise RuntimeError(f"InfluxDB answers {answer.status}: {answer.data[:500]!r}")
