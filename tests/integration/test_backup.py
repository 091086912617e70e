"""After InfluxDB is backed up and restored, as `influx backup` and `influx restore` do it, `rewind` completes the
store.

The program `influx` is not in any package registry, so the test sends the same requests to InfluxDB's HTTP API
(https://docs.influxdata.com/influxdb/v2/api/#tag/Backup).
"""

import json
import time
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from devtools.servers import InfluxServer
from tests.conftest import StartScript
from tests.integration.chain import KafkaChain, working
from tests.integration.test_awkward import a_chain, publish, tick

SYMBOLS = [f"S{n}" for n in range(8)]


def ask(influx: InfluxServer, path: str, data: bytes | None = None, kind: str = "application/json") -> Any:
    headers = {"Authorization": f"Token {influx.token}", "Content-Type": kind}
    with urlopen(Request(influx.url + path, data, headers), timeout=60) as answer:
        return answer.headers, answer.read()


def backed_up(influx: InfluxServer, bucket: str) -> tuple[dict[str, Any], dict[int, bytes]]:
    """Back up the bucket; return its description and the content of each shard."""
    headers, body = ask(influx, "/api/v2/backup/metadata")
    whole = message_from_bytes(f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body, policy=default)
    (listed,) = [
        part.get_content()
        for part in whole.iter_parts()
        if part.get_param("name", header="content-disposition") == "buckets"
    ]
    (described,) = [each for each in json.loads(listed) if each["bucketName"] == bucket]
    shards = {
        shard["id"]: ask(influx, f"/api/v2/backup/shards/{shard['id']}")[1]
        for policy in described["retentionPolicies"]
        for group in policy["shardGroups"]
        for shard in group["shards"]
    }
    return described, shards


def restore(influx: InfluxServer, described: dict[str, Any], shards: dict[int, bytes], bucket: str) -> None:
    _, body = ask(influx, "/api/v2/restore/bucketMetadata", json.dumps({**described, "bucketName": bucket}).encode())
    for mapping in json.loads(body)["shardMappings"]:
        path = f"/api/v2/restore/shards/{mapping['newId']}"
        ask(influx, path, shards[mapping["oldId"]], "application/octet-stream")


@pytest.mark.timeout(240)
@pytest.mark.kafka
@pytest.mark.influx
def test_a_restored_bucket_is_whole_after_a_rewind_to_before_the_backup(
    request: pytest.FixtureRequest, tmp_path: Path, script: StartScript
) -> None:
    with a_chain("kafka", request, tmp_path) as chain:
        assert isinstance(chain, KafkaChain)
        publish(chain, [tick(SYMBOLS[n % 8], 100 + n / 8) for n in range(400)])
        with working(chain):
            chain.wait_for_points(400)
        time.sleep(1.1)  # times on the command line are in whole seconds: the 400 must be older than this one
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        described, shards = backed_up(chain.influx, chain.bucket)
        assert shards
        publish(chain, [tick(SYMBOLS[n % 8], 100 + n / 8) for n in range(400, 1_000)])
        with working(chain):
            chain.wait_for_points(1_000)
        restored = f"{chain.bucket}-restored"
        restore(chain.influx, described, shards, restored)
        try:
            chain.bucket = chain.env["INFLUXDB_BUCKET"] = restored
            assert chain.count() == 400
            rewound = script("stock_analytics.py", "rewind", "--to", moment, env=chain.env)
            assert rewound.wait(90) == 0, rewound.output
            assert "600 records appended since" in rewound.output
            with working(chain):
                chain.wait_for_points(1_000)
            audited = script("stock_analytics.py", "audit", env=chain.env)
            assert audited.wait(90) == 0, audited.output
            assert "EQUAL: 0 lost, 0 foreign, 0 different" in audited.output
        finally:
            chain.influx.delete_bucket(restored)
            chain.bucket = chain.topic
