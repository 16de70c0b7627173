#!/usr/bin/env python3
"""The conformance kit for TLS, where it is. Usage: kit_test.py TRIREME

Goal: TLS as its standards have it, under hostile bytes, with stalled clients, over a reload.
Method: the kit's cases, without its scanners, which take minutes (TRIREME_TLS_SCANNERS=1: with
them), against servers of lines. The kit is looked for as tests/tls/tls_server.py says.
"""

import base64
import os
import pathlib
import subprocess
import sys
import tempfile

import tls_server

# To forge a ticket, the kit changes a byte of a session file 40 bytes behind the first 0xAA that is
# followed by 0x04. One session in about a hundred has such bytes in another field, whose change
# leads to no full handshake. A failure counts unless forged_is_full() says otherwise.
UNSURE = {"ticket.forged-is-full-handshake-tls1_2": "-tls1_2",
          "ticket.forged-is-full-handshake-tls1_3": "-tls1_3"}


def length_at(der, at):
    """The length of what stands at `at`, and where it begins."""
    if der[at + 1] < 0x80:
        return der[at + 1], at + 2
    count = der[at + 1] & 0x7f
    return int.from_bytes(der[at + 2:at + 2 + count], "big"), at + 2 + count


def forge(der):
    """Changes a byte of the ticket of a session: the field [10] of SSL_SESSION_ASN1."""
    forged = bytearray(der)
    _, at = length_at(der, 0)
    while at < len(der):
        size, begin = length_at(der, at)
        if der[at] == 0xAA:
            forged[begin + 44] ^= 0x55
            return bytes(forged)
        at = begin + size
    return None


def forged_is_full(address, authority, version, folder):
    """What the kit means: with the very bytes of the ticket changed, the handshake is full."""
    def client(*words):
        with subprocess.Popen(["openssl", "s_client", "-connect", address, "-CAfile", authority,
                               "-servername", "a.test", version, *words], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as one:
            one.stdin.write("first\n")
            one.stdin.flush()
            said = ""
            while "first" not in said.splitlines() and (line := one.stdout.readline()):
                said += line  # the ticket has come before the answer
            one.stdin.close()
            return said + one.stdout.read()
    session = f"{folder}/session"
    client("-sess_out", session)
    text = pathlib.Path(session).read_text("ascii")
    der = base64.b64decode("".join(line for line in text.splitlines() if line[:1] != "-"))
    forged = forge(der)
    if forged is None:
        return False
    pathlib.Path(session).write_text(
        "-----BEGIN SSL SESSION PARAMETERS-----\n" + base64.encodebytes(forged).decode() +
        "-----END SSL SESSION PARAMETERS-----\n", "ascii")
    said = client("-sess_in", session)
    return "New, TLS" in said and "Reused, TLS" not in said


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
            wrong = [name for verdict, name in verdicts if verdict == "FAIL" and not (
                name in UNSURE and
                forged_is_full(address[0], f"{folder}/ca.pem", UNSURE[name], folder))]
    return 0 if len(verdicts) > 80 and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
