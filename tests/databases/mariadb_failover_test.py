#!/usr/bin/env python3
"""Two `collect` on a replicated MariaDB whose primary dies. Usage: mariadb_failover_test.py TRIREME

Goal: no row that was answered OK is lost, and the services go on behind their balancer. Method: a
primary and a replica, semi-synchronous; both services are written to; kill -9 of the primary,
promotion by hand. Skipped without MariaDB.
"""

import sys

from instances import Client, Forwarder, MariaDb, Writers, collect, main, wait_for

USER = "app:secret"


def replicate(primary, replica):
    """From now on, `OK` says that the replica has the row, too."""
    local = "@'127.0.0.1'"
    primary.sql(f"CREATE USER copy{local} IDENTIFIED BY 'secret';"
                f"GRANT REPLICATION SLAVE ON *.* TO copy{local}; CREATE DATABASE collect;"
                f"CREATE USER app{local} IDENTIFIED BY 'secret';"
                f"GRANT ALL ON collect.* TO app{local}")
    replica.sql("SET GLOBAL read_only = ON; SET GLOBAL rpl_semi_sync_slave_enabled = ON;"
                f"CHANGE MASTER TO master_host = '127.0.0.1', master_port = {primary.port},"
                "master_user = 'copy', master_password = 'secret', master_use_gtid = slave_pos;"
                "START SLAVE")
    # A commit that the replica has not confirmed waits; by default ten seconds.
    primary.sql("SET GLOBAL rpl_semi_sync_master_timeout = 4294967295;"
                "SET GLOBAL rpl_semi_sync_master_enabled = ON")
    wait_for(lambda: primary.sql("SHOW STATUS LIKE 'Rpl_semi_sync_master_clients'").endswith("1"),
             "the replica is semi-synchronous")


def position(replica, word):
    lines = replica.sql("SHOW SLAVE STATUS \\G", options=()).splitlines()
    return dict(line.strip().split(":", 1) for line in lines if ":" in line)[word]


def promote(replica):
    """What an operator does: all that has come is applied first."""
    wait_for(lambda: position(replica, "Read_Master_Log_Pos") == position(replica,
                                                                          "Exec_Master_Log_Pos"),
             "the replica has applied all")
    replica.sql("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF")


def test(trireme, folder, running):
    one, two = MariaDb(folder, "one", 1), MariaDb(folder, "two", 2)
    running += [one, two]
    for database in (one, two):
        database.initialize()
        database.start()
    replicate(one, two)
    balancer = Forwarder()
    balancer.target = one.port
    services = [collect(trireme, folder, f"service{i}",
                        f"mysql://{USER}@127.0.0.1:{balancer.port}/collect")
                for i in range(2)]
    running += services
    for service in services:
        assert service.port, service.errors()
    wait_for(lambda: two.sql("SHOW TABLES IN collect") == "readings", "the replica has the table")
    alone = collect(trireme, folder, "alone", f"mysql://{USER}@127.0.0.1:{two.port}/collect")
    assert alone.port is None and "read-only" in alone.errors(), alone.errors()

    writers = Writers("s", services, 4)
    writers.wait_for_more(50)
    one.kill()
    for service in services:
        client = Client(service.port)
        wait_for(lambda c=client: c.say("away m 1 1").startswith("ERR "), "rows are refused")
    promote(two)
    balancer.target = two.port
    writers.wait_for_more(50)
    writers.end()
    for service in services:
        missing = writers.missing(service)
        assert not missing, f"{len(missing)} rows with an OK are lost, such as {missing[0]}"
    print(f"{sum(writers.ok.values())} rows with an OK, none is lost; {writers.unknown} unknown")


if __name__ == "__main__":
    sys.exit(main(["mariadbd", "mariadb-install-db", "mariadb"],
                  lambda folder, running: test(sys.argv[1], folder, running)))
