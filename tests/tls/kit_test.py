#!/usr/bin/env python3
"""The conformance kit for TLS, where it is. Usage: kit_test.py TRIREME

Goal: TLS as its standards have it, under hostile bytes, with stalled clients, over a reload.
Method: the kit's cases, without its scanners, which take minutes (TRIREME_TLS_SCANNERS=1: with
them), against servers of lines. The kit is looked for as tests/tls/tls_server.py says.
"""

import os
import subprocess
import sys
import tempfile

import tls_server

# The kit changes a byte of a session file to forge a ticket. Sometimes it hits another field.
UNSURE = ("ticket.forged-is-full-handshake-tls1_2", "ticket.forged-is-full-handshake-tls1_3")


def main():
    kit = tls_server.kit()
    if kit is None:
        print("skipped: there is no conformance kit")
        return tls_server.SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["bash", kit / "make-ca.sh", folder], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        names = ["default", "a", "b", "wild"]
        common = ["--tls-alpn", "echo/1,h2", "--tls-ticket-keys", f"{folder}/ticket-80.key",
                  "--tls-handshake-timeout", "2s"]
        clients = ["--tls-client-ca", f"{folder}/ca.pem", "--tls-client"]
        program = sys.argv[1]
        with tls_server.Server(program, folder, names, *common) as first, \
                tls_server.Server(program, folder, names, *common) as second, \
                tls_server.Server(program, folder, names, *common, *clients, "required") as must, \
                tls_server.Server(program, folder, names, *common, *clients, "wanted") as may:
            renewed = f"{folder}/a-renewed"
            reload = (f"cp {renewed}.pem {folder}/a.pem; cp {renewed}.key {folder}/a.key; "
                      f"kill -HUP {first.process.pid}")
            address = [f"127.0.0.1:{server.port}" for server in (first, second, must, may)]
            scanners = [] if os.environ.get("TRIREME_TLS_SCANNERS") else ["--no-scanners"]
            done = subprocess.run(
                ["bash", kit / "check.sh", "--address", address[0], "--ca", folder, "--sni",
                 "--alpn", "echo/1,h2", "--second", address[1], "--client-required", address[2],
                 "--client-optional", address[3], "--reload", reload, "--handshake-timeout", "2",
                 "--stalled", "300", "--pid", str(first.process.pid), *scanners],
                text=True, stdout=subprocess.PIPE, check=False)
    print(done.stdout)
    verdicts = [line.split()[:2] for line in done.stdout.splitlines() if line[:1] != " "]
    wrong = [name for verdict, name in verdicts if verdict == "FAIL" and name not in UNSURE]
    return 0 if len(verdicts) > 80 and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
