"""Database servers, balancers and `trireme` for the scripts beside this file: of an unprivileged
user, on unix sockets in a folder of their own, gone with the script."""

import contextlib
import ctypes
import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import traceback

DEADLINE = 60
GIBIBYTE = 1 << 30


def find(name):
    """A program, where PATH or Debian has it; None."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    return shutil.which(name, path=":".join(folders + [os.environ["PATH"], "/usr/sbin"]))


def wait_for(condition, what):
    """What `condition` returns once it is true."""
    end = time.monotonic() + DEADLINE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Folder:
    """A folder at `place`; or in memory, if there is room: what is killed are processes alone."""

    def __init__(self, place=None):
        free = os.statvfs("/dev/shm") if os.path.isdir("/dev/shm") else None
        has_room = free is not None and free.f_bavail * free.f_frsize >= GIBIBYTE
        self.place = place or ("/dev/shm" if has_room else "/tmp")

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="trireme-db-", dir=self.place))
        if os.geteuid() == 0:
            os.chown(self.path, *self.nobody())
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    @staticmethod
    def nobody():
        user = pwd.getpwnam("nobody")
        return user.pw_uid, user.pw_gid


class Process:
    """Ends with the script. Of root's scripts it runs as nobody: databases refuse root."""

    def __init__(self, command, log, as_nobody=True, **options):
        self.log = pathlib.Path(log)
        drop = as_nobody and os.geteuid() == 0
        libc = ctypes.CDLL(None)

        def prepare():
            os.setpgid(0, 0)
            if drop:
                os.setgroups([])
                uid, gid = Folder.nobody()
                os.setgid(gid)
                os.setuid(uid)
            libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

        with open(self.log, "ab") as log_file:
            self.child = subprocess.Popen(
                [str(word) for word in command], preexec_fn=prepare, cwd="/",
                stdin=subprocess.DEVNULL,
                stderr=log_file, **({"stdout": log_file} | options))

    def kill(self):
        """As kill -9 of all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()


def main(needed, test, place=None):
    """Runs test(folder, running): the status of the script. Kills what is in `running`."""
    missing = [name for name in needed if find(name) is None]
    if missing:
        print(f"{', '.join(missing)}: missing; `./dev test --databases` installs it")
        return 77
    running = []
    with Folder(place) as folder:
        try:
            test(folder, running)
        except (AssertionError, OSError, subprocess.SubprocessError) as problem:
            traceback.print_exc()
            print(problem)
            for log in sorted(folder.glob("*-log")):
                last = log.read_text(errors="replace").splitlines(True)[-15:]
                print(f"--- {log.name}\n" + "".join(last))
            return 1
        finally:
            for one in reversed(running):
                one.kill()
    return 0


def run(command, log, **options):
    """Runs it to its end; its output, if `stdout` is a pipe."""
    process = Process(command, log, **options)
    out, _ = process.child.communicate(timeout=DEADLINE)
    if process.child.returncode != 0:
        raise AssertionError(f"{command[0]} failed:\n{pathlib.Path(log).read_text()[-2000:]}")
    return out


class Postgres:
    """One PostgreSQL on a unix socket in `folder`."""

    def __init__(self, folder, name):
        self.name = name
        self.socket = folder / name
        self.data = folder / f"{name}-data"
        self.log = folder / f"{name}-log"
        run(["mkdir", self.socket], self.log)
        self.process = None

    def initialize(self):
        run([find("initdb"), "-D", self.data, "-U", "trireme", "-A", "trust", "-E", "UTF8",
             "--no-locale",
             "--no-sync"], self.log)

    def copy_of(self, primary):
        """A standby of `primary`, made as an operator makes one; commits may wait for its name."""
        run([find("pg_basebackup"), "-D", self.data, "-h", primary.socket, "-U", "trireme", "-c",
             "fast", "-R",
             "-X", "stream"], self.log)

    def start(self):
        self.process = Process(
            [find("postgres"), "-D", self.data, "-k", self.socket, "-c", "listen_addresses=", "-c",
             "shared_buffers=16MB", "-c", f"cluster_name={self.name}"], self.log)
        wait_for(lambda: self.sql("SELECT 1", check=False) == "1",
                 f"PostgreSQL {self.name} answers")

    def sql(self, statement, check=True, database="postgres", port=5432, host=None):
        done = subprocess.run(
            [find("psql"), "-X", "-h", str(host or self.socket), "-p", str(port), "-U", "trireme",
             "-d", database,
             "-Atc", statement], text=True, capture_output=True, check=False, timeout=DEADLINE)
        if check and done.returncode != 0:
            raise AssertionError(f"{statement}: {done.stderr}")
        return done.stdout.strip()

    def url(self):
        return f"postgres:///postgres?host={self.socket}&user=trireme"

    def kill(self):
        if self.process is not None:
            self.process.kill()


class MariaDb:
    """One MariaDB on a unix socket, and on a port for replication and for `collect`."""

    def __init__(self, folder, name, number):
        self.name, self.number = name, number
        self.socket = folder / f"{name}.sock"
        self.data = folder / f"{name}-data"
        self.log = folder / f"{name}-log"
        self.port = free_port()
        self.process = None

    def initialize(self):
        run([find("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}",
             "--skip-test-db",
             "--auth-root-authentication-method=normal", "--skip-name-resolve"], self.log)

    def start(self):
        self.process = Process(
            [find("mariadbd"), "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}",
             f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={self.data}/pid",
             "--skip-name-resolve",
             "--innodb-buffer-pool-size=16M", f"--server-id={self.number}", "--log-bin=binlog",
             "--sync-binlog=1",
             "--log-slave-updates", "--gtid-strict-mode=1"], self.log)
        wait_for(lambda: self.sql("SELECT 1", check=False) == "1", f"MariaDB {self.name} answers")

    def sql(self, statements, check=True, options=("-N", "-B")):
        done = subprocess.run(
            [find("mariadb"), "--no-defaults", "-u", "root", f"--socket={self.socket}", *options,
             "-e", statements],
            text=True, capture_output=True, check=False, timeout=DEADLINE)
        if check and done.returncode != 0:
            raise AssertionError(f"{statements}: {done.stderr}")
        return done.stdout.strip()

    def kill(self):
        if self.process is not None:
            self.process.kill()


class Forwarder:
    """The balancer of a database that has one address: connections go where it points to."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def copy(source, sink):
        with contextlib.suppress(OSError):
            while bytes_ := source.recv(65536):
                sink.sendall(bytes_)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class PgBouncer:
    """One PgBouncer in front of one PostgreSQL."""

    def __init__(self, folder, mode):
        self.socket = folder / f"bouncer-{mode}"
        self.config = folder / f"bouncer-{mode}.ini"
        self.log = folder / f"bouncer-{mode}-log"
        self.mode = mode
        self.process = None
        run(["mkdir", self.socket], self.log)

    def point_to(self, postgres):
        self.config.write_text(
            f"[databases]\npostgres = host={postgres.socket} user=trireme\n"
            "[pgbouncer]\nlisten_addr =\n"
            f"unix_socket_dir = {self.socket}\nauth_type = any\npool_mode = {self.mode}\n"
            f"server_login_retry = 1\npidfile = {self.socket}/pid\n")
        self.config.chmod(0o644)
        if self.process is None:
            self.process = Process([find("pgbouncer"), self.config], self.log)
            wait_for(lambda: postgres.sql("SELECT 1", check=False, host=self.socket,
                                          port=6432) == "1",
                     "PgBouncer answers")
        else:
            self.process.child.send_signal(signal.SIGHUP)

    def url(self):
        return f"postgres:///postgres?host={self.socket}&port=6432&user=trireme"

    def kill(self):
        if self.process is not None:
            self.process.kill()


class Redis:
    """One Redis on a port of the loopback."""

    def __init__(self, folder):
        self.port = free_port()
        self.process = Process([find("redis-server"), "--port", self.port, "--bind", "127.0.0.1",
                                "--save", "", "--dir",
                                folder], folder / "redis-log")
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0, "Redis answers")

    def kill(self):
        self.process.kill()


class Service:
    """A program of ours that says where it listens. `port` is None if it has ended instead."""

    def __init__(self, folder, name, command):
        self.process = Process(command, folder / f"{name}-log", as_nobody=False,
                               stdout=subprocess.PIPE)
        self.port = self.next_port()

    def next_port(self):
        line = self.process.child.stdout.readline().decode()
        return int(line.rsplit(":", 1)[1]) if line.startswith("listening on ") else None

    def errors(self):
        return self.process.log.read_text()

    def kill(self):
        self.process.kill()


def collect(trireme, folder, name, url):
    """Its `proxied_port` is for a balancer that says who the clients are."""
    local = "127.0.0.1:0"
    service = Service(folder, name, [trireme, "serve", "collect", "--db", url, "--listen",
                                     f"tcp://{local}", "--listen", f"tcp+proxy://{local}"])
    service.proxied_port = service.port and service.next_port()
    return service


class HAProxy:
    """In front of services, as docs/collect.md has it."""

    def __init__(self, folder, services):
        self.port = free_port()
        config = folder / "haproxy.cfg"
        words = "check-send-proxy check inter 100ms send-proxy-v2"
        config.write_text(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n"
            f"  timeout server 1m\nlisten collect\n  bind 127.0.0.1:{self.port}\n"
            "  balance leastconn\n" + "".join(
                f"  server s{number} 127.0.0.1:{service.proxied_port} {words}\n"
                for number, service in enumerate(services)))
        self.process = Process([find("haproxy"), "-db", "-f", config], folder / "haproxy-log")
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0,
                 "HAProxy listens")

    def kill(self):
        self.process.kill()


class Client:
    """One connection: says a line, and reads one."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self.lines = self.socket.makefile("r", encoding="ascii", newline="\n")

    def send(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def say(self, line):
        self.send(line)
        return self.line()

    def line(self):
        return self.lines.readline().rstrip("\n")

    def close(self):
        self.lines.close()
        self.socket.close()


class Writers:
    """Each writes rows 1, 2, 3 and so on of its own device, and repeats a row until its OK."""

    def __init__(self, name, services, each):
        self.ends = False
        self.ok = {}
        self.unknown = 0
        self.threads = []
        for number, service in enumerate(services):
            for writer in range(each):
                device = f"{name}{number}w{writer}"
                self.ok[device] = 0
                self.threads.append(threading.Thread(target=self.write, daemon=True,
                                                     args=(service.port, device)))
        for thread in self.threads:
            thread.start()

    def write(self, port, device):
        client = Client(port)
        while not self.ends:
            row = self.ok[device] + 1
            try:
                answer = client.say(f"{device} m {row} {row}")
            except OSError:
                answer = ""
            if answer == "OK":
                self.ok[device] = row
            elif answer == "":  # its service is gone
                client = Client(port)
                self.unknown += 1
            elif answer.startswith("ERR unknown"):
                self.unknown += 1
            elif not answer.startswith("ERR not stored"):
                raise AssertionError(f"{device} was answered {answer!r}")

    def wait_for_more(self, rows):
        """Until every writer has so many more."""
        before = dict(self.ok)
        wait_for(lambda: all(self.ok[device] >= before[device] + rows for device in before),
                 "every writer gets on")

    def end(self):
        self.ends = True
        for thread in self.threads:
            thread.join(DEADLINE)

    def missing(self, service):
        """Rows that were answered OK and are not there."""
        client = Client(service.port)
        missing = []
        for device, last in self.ok.items():
            place = "-"
            found = set()
            while True:
                count, place = client.say(f"RANGE {device} m 1 {last} {place}").split()
                found |= {int(client.line().split()[0]) for _ in range(int(count))}
                if place == "-":
                    break
            missing += [f"{device} {row}" for row in range(1, last + 1) if row not in found]
        return missing
