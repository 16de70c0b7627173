#!/usr/bin/env python3
"""The programs of examples/databases, as a user starts them. Usage: examples_test.py FOLDER

Goal: what their comments say is so: cancelled statements, BUSY when the pool is empty, a cache that
may be away, many clients on few connections. Method: a private PostgreSQL and Redis. FOLDER has the
programs.
"""

import pathlib
import resource
import subprocess
import sys

from instances import Client, Postgres, Redis, Service, find, main, wait_for

URL = "tcp://127.0.0.1:0"
CLIENTS = 1000
CONNECTIONS = 16


class Lock:
    """A session that holds the table, so that statements wait."""

    def __init__(self, postgres):
        self.session = subprocess.Popen(
            [find("psql"), "-X", "-q", "-h", postgres.socket, "-U", "trireme", "-d", "postgres"],
            stdin=subprocess.PIPE, text=True)
        self.session.stdin.write("BEGIN; LOCK TABLE names;\n")
        self.session.stdin.flush()
        locks = ("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted "
                 "AND relation = 'names'::regclass")
        wait_for(lambda: postgres.sql(locks) == "1", "the table is locked")

    def open(self):
        self.session.stdin.close()
        self.session.wait()


def waiting(postgres):
    return int(postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


def front_end(examples, folder, postgres, running):
    service = Service(folder, "front_end", [examples / "example_front_end", postgres.url(), URL])
    running.append(service)
    client = Client(service.port)
    talk = {"SET 17 Ada": "OK", "GET 17": "Ada", "SET 17 Ada L": "OK", "GET 17 ": "NONE",
            "GET 18": "NONE"}
    for line, answer in talk.items():
        assert client.say(line) == answer, line
    assert client.say("PUT 17").startswith("ERR ")

    lock = Lock(postgres)
    client.send("GET 17")
    wait_for(lambda: waiting(postgres) == 1, "a statement waits")
    client.close()
    wait_for(lambda: waiting(postgres) == 0, "the statement of a client that is gone is cancelled")

    clients = [Client(service.port) for _ in range(CONNECTIONS + 4)]
    for one in clients:
        one.send("GET 17")
    answers = [one.line() for one in clients]
    assert "BUSY" in answers and "ERR deadline exceeded" in answers, answers
    wait_for(lambda: waiting(postgres) == 0, "a statement whose deadline is over is cancelled")
    lock.open()
    assert clients[0].say("GET 17") == "Ada L"


def cached_front_end(examples, folder, postgres, running):
    cache = Redis(folder)
    running.append(cache)
    service = Service(folder, "cached", [examples / "example_cached_front_end", postgres.url(),
                                         "127.0.0.1",
                                         cache.port, URL])
    running.append(service)
    client = Client(service.port)
    assert client.say("GET 17") == "Ada L"
    postgres.sql("UPDATE names SET name = 'Grace'")
    assert client.say("GET 17") == "Ada L", "from the cache"
    assert client.say("GET 18") == "NONE"
    cache.kill()
    assert client.say("GET 17") == "Grace", "the database answers alone"


def many_clients(examples, folder, postgres, running):
    service = Service(folder, "many", [examples / "example_many_clients", postgres.url(), URL])
    running.append(service)
    clients = [Client(service.port) for _ in range(CLIENTS)]
    for number, client in enumerate(clients):
        client.send(str(number))
    for number, client in enumerate(clients):
        assert client.line() == str(number)
    sessions = postgres.sql("SELECT count(*) FROM pg_stat_activity "
                            "WHERE query LIKE 'SELECT $1::text%'")
    assert 1 <= int(sessions) <= CONNECTIONS, sessions


def test(folder, running):
    examples = pathlib.Path(sys.argv[1])
    postgres = Postgres(folder, "postgres")
    running.append(postgres)
    postgres.initialize()
    postgres.start()
    postgres.sql("CREATE TABLE names(id TEXT PRIMARY KEY, name TEXT NOT NULL)")
    front_end(examples, folder, postgres, running)
    if (examples / "example_cached_front_end").exists() and find("redis-server"):
        cached_front_end(examples, folder, postgres, running)
    many_clients(examples, folder, postgres, running)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096,
                                                resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    sys.exit(main(["postgres", "psql"], test))
