"""The server of lines behind a PROXY header, for the tests of this folder."""

import re
import socket
import subprocess


class Server:
    """Runs for as long as the `with` lasts."""

    def __init__(self, program, url="tcp+proxy://127.0.0.1:0", header_ms=5000):
        self.command = [program, url, str(header_ms)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True)
        first = self.process.stdout.readline()  # waits until it listens
        self.url = first.removeprefix("listening on ").strip()
        found = re.search(r":(\d+)$", self.url)
        self.port = int(found[1]) if found else None
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        self.status = self.process.wait(20)
        self.process.stdout.close()


def ask(port, *lines):
    """What a client of `port` is answered to its lines, and its own address."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as talk:
        own = talk.getsockname()
        talk.sendall("".join(line + "\n" for line in lines).encode())
        said = b""
        while said.count(b"\n") < len(lines) and (more := talk.recv(65536)):
            said += more
    return said.decode().split("\n")[:-1], own
