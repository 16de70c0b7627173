#!/usr/bin/env python3
"""The conformance kit for the PROXY protocol, where it is. Usage: kit_test.py LINES_SERVER

Goal: a listener takes every header that the specification allows, and nothing else.
Method: the kit's cases against a server of lines, whose header time is short. The kit's folder is
TRIREME_CONFORMANCE, or ../shared/conformance beside the tree; a machine without it skips.
"""

import os
import pathlib
import subprocess
import sys

import lines_server

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
HEADER_SECONDS = 1


def main():
    folder = os.environ.get("TRIREME_CONFORMANCE", ROOT.parent / "shared" / "conformance")
    kit = pathlib.Path(folder) / "proxy" / "run.py"
    if not kit.is_file():
        print(f"skipped: there is no conformance kit at {kit}")
        return SKIPPED
    with lines_server.Server(sys.argv[1], header_ms=HEADER_SECONDS * 1000) as server:
        done = subprocess.run(
            [sys.executable, str(kit), "--address", f"127.0.0.1:{server.port}", "--deadline",
             str(HEADER_SECONDS)], text=True, stdout=subprocess.PIPE, check=False)
    print(done.stdout)
    total = done.stdout.strip().split("\n")[-1].split()
    weak, failed, skipped = (int(word) for word in total[2:5])
    return 0 if done.returncode == 0 and (weak, failed, skipped) == (0, 0, 0) else 1


if __name__ == "__main__":
    sys.exit(main())
