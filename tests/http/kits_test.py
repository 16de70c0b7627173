#!/usr/bin/env python3
"""The conformance kits for HTTP/1.1 and WebSocket, where they are. Usage: kits_test.py TRIREME KIT

Goal: no case that must hold fails, and few have a better answer than ours. Method: the cases of
KIT, http11 or websocket, against `trireme serve hello` with short clocks. The kits' folder is
TRIREME_CONFORMANCE, or ../shared/conformance beside the tree; a machine without it skips.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
SECONDS = "4"


def serve(trireme, root):
    server = subprocess.Popen(
        [trireme, "serve", "hello", "--listen", "tcp://127.0.0.1:0", "--root", root,
         "--idle-timeout", SECONDS + "s", "--first-byte-timeout", SECONDS + "s",
         "--request-timeout", SECONDS + "s"],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    first = server.stdout.readline()
    port = re.fullmatch(r"listening on \w+://[\d.]+:(\d+)\n", first)[1]
    return server, port


def of_http(kit, port):
    done = subprocess.run(
        [sys.executable, kit / "run.py", "--url", f"http://127.0.0.1:{port}"],
        text=True, stdout=subprocess.PIPE, check=False)
    total = re.search(r"(?m)^all +(\d+) +(\d+) +(\d+)", done.stdout)
    passed, soft, failed = (int(number) for number in total.groups())
    return done.stdout, done.returncode == 0 and failed == 0 and soft <= 2 and passed >= 560


def of_websocket(kit, port):
    done = subprocess.run(
        [sys.executable, kit / "run.py", "--url", f"ws://127.0.0.1:{port}/ws",
         "--handshake-timeout", SECONDS],
        text=True, stdout=subprocess.PIPE, check=False)
    total = re.search(r"(?m)^total +(\d+) +(\d+) +(\d+)", done.stdout)
    passed, weak, failed = (int(number) for number in total.groups())
    return done.stdout, done.returncode == 0 and (weak, failed) == (0, 0) and passed >= 530


def main():
    folder = os.environ.get("TRIREME_CONFORMANCE", ROOT.parent / "shared" / "conformance")
    kit = pathlib.Path(folder) / sys.argv[2]
    if not (kit / "run.py").is_file():
        print(f"skipped: there is no conformance kit at {kit}")
        return SKIPPED
    root = tempfile.TemporaryDirectory()
    if sys.argv[2] == "http11":
        subprocess.run([sys.executable, kit / "run.py", "--write-file", root.name + "/file.bin"],
                       stdout=subprocess.DEVNULL, check=True)
    server, port = serve(sys.argv[1], root.name)
    try:
        told, good = (of_http if sys.argv[2] == "http11" else of_websocket)(kit, port)
    finally:
        server.terminate()
        status = server.wait(60)
        server.stdout.close()
        root.cleanup()
    print(told)
    return 0 if good and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
