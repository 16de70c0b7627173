"""A `trireme serve lines` behind TLS, and the certificates that it shows, for the tests here."""

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77


def kit():
    """The folder of the conformance kit; None where it is not."""
    folder = os.environ.get("TRIREME_CONFORMANCE", ROOT.parent / "shared" / "conformance")
    found = pathlib.Path(folder) / "tls"
    return found if (found / "check.sh").is_file() else None


def make_certificate(folder, name, *more):
    """A certificate that has signed itself, by the openssl tool: NAME.pem and NAME.key."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1",
                    "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", *more],
                   check=True, stderr=subprocess.DEVNULL)


class Server:
    """Runs for as long as the `with` lasts. `names`: of the certificates in `folder`."""

    def __init__(self, program, folder, names, *options, service="lines"):
        self.command = [program, "serve", service, "--listen", "tls://127.0.0.1:0", *options]
        for name in names:
            self.command += ["--tls-cert", f"{folder}/{name}.pem", "--tls-key",
                             f"{folder}/{name}.key"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        first = self.process.stdout.readline()  # waits until it listens
        heard = re.fullmatch(r"listening on tls://127.0.0.1:(\d+)\n", first)
        self.port = int(heard[1]) if heard else None  # None: it has refused to start
        return self

    def __exit__(self, *error):
        self.process.terminate()
        self.status = self.process.wait(20)
        self.process.stdout.close()
