"""Installs axe-core from npm, and lists the violations that it finds in a page."""

import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import Page

_TRANSITIONS_END = """Promise.allSettled(
    document.getAnimations().filter(each => each instanceof CSSTransition).map(each => each.finished)
).then(() => null)"""

_GRID_IS_COMPLETE = """new Promise((done) => {
    const look = () => {
        const names = [...document.querySelectorAll(".ag-header-cell-text")];
        if (!document.getElementById("watch-place")) done(null);
        else if (names.length && names.every((each) => each.textContent)) done(null);
        else setTimeout(look, 50);
    };
    look();
})"""


def source(folder: Path) -> str:
    """Install axe-core into `folder`; return its script. Raises `OSError` or `SubprocessError` if that fails."""
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--ignore-scripts", "axe-core@4.11"]
    if shutil.which("npm") is not None:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Page, axe: str) -> list[str]:
    """The page's serious and critical violations, each with the first affected element.

    Waits until the grid, which comes after the first drawing, has its headings, and until no colour is in transition:
    halfway through one, text may have too little contrast.
    """
    page.evaluate(axe)
    page.evaluate(_GRID_IS_COMPLETE)
    page.evaluate(_TRANSITIONS_END)
    found = page.evaluate("axe.run().then(({ violations }) => violations)")
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:150]}" for each in found if each["impact"] in ("serious", "critical")
    ]
