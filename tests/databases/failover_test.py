#!/usr/bin/env python3
"""Several `collect` on a replicated PostgreSQL whose primary dies. Usage: failover_test.py TRIREME

Goal: no row that was answered OK is lost, each service finds the new primary by itself, and says
ERR until then. Method: a primary and a standby, synchronous; two services that know both, and one
with PgBouncer, all written to, also through HAProxy; kill -9 of the primary, promotion by hand.
Then the same the other way round, with the old primary as a new standby; at last, kill -9 of a
service.
Skipped without PostgreSQL; without PgBouncer or HAProxy that part is left out.
"""

import shutil
import sys

from instances import (Client, HAProxy, PgBouncer, Postgres, Writers, collect, find, main,
                       wait_for)


def commits_wait_for(primary, standby):
    """From now on, `OK` says that the row is on both."""
    primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{standby.name}'")
    primary.sql("SELECT pg_reload_conf()")
    wait_for(lambda: primary.sql("SELECT sync_state FROM pg_stat_replication") == "sync",
             "the standby is synchronous")


def promote(standby):
    """What an operator does, or Patroni. The copied configuration would have it wait for itself."""
    standby.sql("SELECT pg_promote()")
    standby.sql("ALTER SYSTEM RESET synchronous_standby_names")
    standby.sql("SELECT pg_reload_conf()")


def expect_refusal(trireme, folder, standby):
    """A service that knows the standby alone does not start."""
    alone = collect(trireme, folder, "alone",
                    f"postgres:///postgres?host={standby.socket}&user=trireme")
    assert alone.port is None and alone.process.child.wait() == 1
    assert "cannot be written" in alone.errors(), alone.errors()


def test(trireme, folder, running):
    one, two = Postgres(folder, "one"), Postgres(folder, "two")
    running += [one, two]
    one.initialize()
    one.start()
    two.copy_of(one)
    two.start()
    commits_wait_for(one, two)

    both = (f"postgres:///postgres?host={one.socket},{two.socket}&user=trireme"
            "&target_session_attrs=read-write")
    services = [collect(trireme, folder, f"service{i}", both) for i in range(2)]
    bouncer = PgBouncer(folder, "session") if find("pgbouncer") else None
    if bouncer:
        running.append(bouncer)
        bouncer.point_to(one)
        services.append(collect(trireme, folder, "bounced", bouncer.url()))
    running += services
    for service in services:
        assert service.port, service.errors()
    expect_refusal(trireme, folder, two)

    writers = [Writers("s", services, 4)]
    if find("haproxy"):
        front = HAProxy(folder, services[:2])
        running.append(front)
        writers.append(Writers("front", [front], 4))

    def all_get_on():
        for some in writers:
            some.wait_for_more(50)

    for primary, standby in ((one, two), (two, one)):
        all_get_on()
        primary.kill()
        clients = [Client(service.port) for service in services]
        for client in clients:
            wait_for(lambda c=client: c.say("away m 1 1").startswith("ERR "), "rows are refused")
        promote(standby)
        if bouncer:
            bouncer.point_to(standby)
        all_get_on()
        # The old primary may have rows of which nobody was told: it comes back as a copy.
        shutil.rmtree(primary.data)
        primary.copy_of(standby)
        primary.start()
        commits_wait_for(standby, primary)
    all_get_on()
    writers[0].end()
    services[0].kill()  # those behind the balancer find the other one
    for some in writers[1:]:
        some.wait_for_more(50)
        some.end()
    for service in services[1:]:
        for some in writers:
            missing = some.missing(service)
            assert not missing, f"{len(missing)} rows with an OK are lost, such as {missing[0]}"
    rows = sum(sum(some.ok.values()) for some in writers)
    print(f"{rows} rows with an OK, none is lost; {sum(some.unknown for some in writers)} unknown; "
          f"{len(services)} services, {'with' if bouncer else 'without'} PgBouncer, "
          f"{'with' if len(writers) > 1 else 'without'} HAProxy")


if __name__ == "__main__":
    sys.exit(main(["postgres", "pg_basebackup"], lambda folder, running: test(sys.argv[1], folder,
                                                                              running)))
