"""Compose files, Dockerfile and workflow name each third-party image by the same tag and digest."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from devtools.building import INFLUXDB, KAFKA
from tests.scripts import PROJECT

OWN = "tickflow:local"
"""Compose builds this image here, so it has no digest."""
FILES = (*sorted(PROJECT.glob("docker-compose*.yml")), PROJECT / ".github" / "workflows" / "ci.yml")


def named(content: Any) -> Iterator[str]:
    """The value of every key `image` in a YAML document."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from [value] if key == "image" and isinstance(value, str) else named(value)
    elif isinstance(content, list):
        for each in content:
            yield from named(each)


IMAGES = {
    (path.name, image)
    for path in FILES
    for image in named(yaml.safe_load(path.read_text(encoding="utf-8")))
    if image != OWN
} | {("Dockerfile", image) for image in re.findall(r"^FROM (\S+)", (PROJECT / "Dockerfile").read_text(), re.M)}


def test_all_files_that_name_images_are_read() -> None:
    assert {file for file, _ in IMAGES} == {
        "docker-compose.yml",
        "docker-compose.cluster.yml",
        "ci.yml",
        "Dockerfile",
    }
    chart = "".join(path.read_text() for path in (PROJECT / "charts").rglob("*.*"))
    assert {image.split()[1] for image in re.findall(r"^ *image: *(\S.*)$", chart, re.M)} == {"include"}, (
        "its own alone"
    )


@pytest.mark.parametrize(("file", "image"), sorted(IMAGES))
def test_an_image_is_named_by_tag_and_digest(file: str, image: str) -> None:
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+[a-z\-]*@sha256:[0-9a-f]{64}", image), f"{image} in {file}"


def test_an_image_has_one_tag_and_one_digest_everywhere() -> None:
    pins = {image for _, image in IMAGES}
    assert sorted(image.partition(":")[0] for image in pins) == [
        "apache/kafka",
        "grafana/grafana",
        "influxdb",
        "prom/alertmanager",
        "prom/prometheus",
        "python",
    ]
    assert len({image.partition("@")[2] for image in pins}) == len(pins)


def test_the_servers_are_those_that_the_tests_build() -> None:
    tags = {image.partition("@")[0] for _, image in IMAGES}
    assert {f"apache/kafka:{KAFKA}", f"influxdb:{INFLUXDB}"} <= tags
