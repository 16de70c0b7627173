"""What the figures were made with: the machine and the versions of everything compared."""

import json
import os
import pathlib
import platform
import re
import socket
import subprocess
import time

PACKAGES = {"libevent": "libevent-dev", "libuv": "libuv1-dev", "Asio": "libasio-dev",
            "Netty": "libnetty-java", "liburing": "liburing-dev",
            "OpenJDK": "openjdk-17-jdk-headless", "glibc": "libc6"}


def said_by(*words):
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return (done.stdout or done.stderr).strip()


def version_of(package):
    version = said_by("dpkg-query", "-W", "-f", "${Version}", package)
    return version if version and "no packages" not in version else "unknown"


def compiler_of(program):
    said = said_by("readelf", "-p", ".comment", str(program))
    found = re.search(r"\]\s+(.+)", said)
    return found.group(1).strip() if found else "unknown"


def cpu_name():
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.M)
    return found.group(1) if found else platform.machine()


def first_line(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").split("\n")[0].strip()
    except OSError:
        return "unknown"


def gaps_sentence(said):
    """What cpu_gaps says of each CPU, in words. A p99 on this machine is hardly less than a gap."""
    gaps = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return "; ".join(
        f"CPU {gap['cpu']} {gap['per_second']:,.0f} times/s, {100 * gap['share']:.1f} % of the "
        f"time, median {gap['p50_us']:.0f} us, 99th {gap['p99_us']:.0f} us" for gap in gaps)


def describe(bin_dir):
    facts = {
        "date": time.strftime("%F %H:%M UTC", time.gmtime()),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": f"{os.cpu_count()} x {cpu_name()}",
        "load average before": " ".join(first_line("/proc/loadavg").split()[:3]),
        "congestion control": first_line("/proc/sys/net/ipv4/tcp_congestion_control"),
        "trireme": said_by(str(bin_dir / "trireme"), "--version").split("\n")[0] or "unknown",
        "compiler of trireme": compiler_of(bin_dir / "trireme"),
        "compiler of the floors": compiler_of(bin_dir / "floor_epoll"),
    }
    for name, package in PACKAGES.items():
        facts[name] = version_of(package)
    gaps = gaps_sentence(said_by(str(bin_dir / "cpu_gaps"), "--seconds", "2"))
    facts["CPU taken from a thread that only reads the clock"] = gaps or "unknown"
    facts["Go"] = said_by("go", "version").removeprefix("go version ") or "unknown"
    return facts


def steady_congestion():
    """A congestion control without pacing that this process may set, or None."""
    for name in ("cubic", "reno"):
        with socket.socket() as tried:
            try:
                tried.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
                return name
            except OSError:
                continue
    return None
