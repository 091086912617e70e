"""Finds Helm, which checks the chart: the machine's own, or else one that Go builds into the servers' cache.

python -m devtools.helm    build it (once per machine, two minutes)
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from devtools.building import cache_folder

HELM = "v3.22.0"


def built() -> Path:
    """The path of the Helm that this module builds."""
    return cache_folder() / "helm" / HELM / "helm"


def find() -> str | None:
    """The path of Helm; `None` if there is none yet."""
    return str(built()) if built().exists() else shutil.which("helm")


def main() -> int:
    """Build Helm, unless it is already built."""
    if find():
        return 0
    if not shutil.which("go"):
        print("building Helm needs Go, which this machine lacks", file=sys.stderr)
        return 1
    print(f"Building Helm {HELM} from its Go module (once, about 2 minutes) ...")
    built().parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"GOBIN": str(built().parent)}
    command = ["go", "install", f"helm.sh/helm/v3/cmd/helm@{HELM}"]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
