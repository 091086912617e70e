"""Reads the Markdown documents: fenced blocks, tables, inline code, links."""

import re

from tests.scripts import PROJECT

DOCS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(f"docs/{path.name}" for path in PROJECT.glob("docs/*.md")))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text(name: str) -> str:
    """The text of the document."""
    return (PROJECT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The contents of the document's fenced blocks in that language."""
    return [body for found, body in _FENCE.findall(text(name)) if found == language]


def code(name: str) -> list[str]:
    """All inline code of the document."""
    return re.findall(r"`([^`]+)`", _FENCE.sub("", text(name)))


def commands(name: str) -> list[str]:
    """The commands of the document's shell blocks, each as one line without comments, and its inline code."""
    lines = [
        re.sub(r"\s+#.*", "", line)
        for block in blocks(name, "sh")
        for line in block.replace("\\\n", " ").splitlines()
        if not line.startswith("#")
    ]
    return [line for line in lines if line] + code(name)


def section(name: str, heading: str) -> str:
    """The text below `## heading`, up to the next heading of that level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text(name), re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no section {heading!r}"
    return found[1]


def table(name: str, heading: str) -> list[list[str]]:
    """The body rows of the section's first table, each a list of the cells' Markdown."""
    rows = re.search(r"^\|.*\n\|[-|]+\n((?:^\|.*\n)+)", section(name, heading), re.MULTILINE)
    assert rows, f"{name}, {heading!r} has no table"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in rows[1].splitlines()]


def links(name: str) -> list[str]:
    """The targets of the document's links and images."""
    return re.findall(r"\]\(([^)\s]+)\)", text(name))


def anchors(name: str) -> set[str]:
    """The anchors that code hosts derive from the document's headings."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", text(name)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
