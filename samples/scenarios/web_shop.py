# SPDX-License-Identifier: Apache-2.0
"""Twelve minutes of a web shop, for the second matrix: ordinary customers, and a few things that the handbook
does not allow."""

from traffic import directory, web, wire
from traffic.scenario import Scenario

START = 1772530200  # 2026-03-03 09:30:00 UTC
LAST = 720

SITE = """\
# The site of samples/web-shop.pcap: see samples/README.md.
site: Example shop
matrix: web-shop
options: {plain_http: on, backend_tls: off}
parameters:
  payment_ports: [9443]
hosts:
  customers: {addresses: [0.0.0.0/0], roles: [internet]}
  lb1:    {addresses: [10.40.1.10], roles: [load-balancer]}
  web1:   {addresses: [10.40.2.11], roles: [web]}
  web2:   {addresses: [10.40.2.12], roles: [web]}
  app1:   {addresses: [10.40.3.21], roles: [application]}
  app2:   {addresses: [10.40.3.22], roles: [application]}
  db1:    {addresses: [10.40.4.31], roles: [db-primary]}
  db2:    {addresses: [10.40.4.32], roles: [db-replica]}
  cache1: {addresses: [10.40.4.41], roles: [cache]}
  dns1:   {addresses: [10.40.0.53], roles: [dns]}
  mon1:   {addresses: [10.40.0.60], roles: [monitoring]}
  jump1:  {addresses: [10.40.0.70], roles: [jump-host]}
within: 10m
"""

HOSTS = (
    ("lb1", "10.40.1.10"),
    ("web1", "10.40.2.11"),
    ("web2", "10.40.2.12"),
    ("app1", "10.40.3.21"),
    ("app2", "10.40.3.22"),
    ("db1", "10.40.4.31"),
    ("db2", "10.40.4.32"),
    ("cache1", "10.40.4.41"),
    ("dns1", "10.40.0.53"),
    ("mon1", "10.40.0.60"),
    ("jump1", "10.40.0.70"),
)
VIOLATION = {"verdict": "violation"}


def _ordinary(s):
    for i, second in enumerate(range(5, LAST, 60)):
        customer, server, app = ("customer1", "customer2")[i % 2], ("web1", "web2")[i % 2], ("app1", "app2")[i // 2 % 2]
        s.service(second, "TLS", customer, "lb1", 443, row="shop-https")
        s.service(second + 0.1, "HTTP", "lb1", server, 80, row="balancer-web")
        s.service(second + 0.2, "HTTP", server, app, 8080 + i % 8, row="web-application")
        s.service(second + 0.3, "PostgreSQL", app, "db1", 5432, row="application-database")
        s.service(second + 0.35, "Redis", "app1", "cache1", 6379, row="application-cache")
        s.service(second + 0.5, "PostgreSQL", "db2", "db1", 5432, row="replication")
        s.service(
            second + 20,
            "SNMP",
            "mon1",
            ("lb1", "web1", "app1", "db1", "cache1")[i % 5],
            161,
            "udp",
            row="monitoring-snmp",
        )
    s.service(40, "HTTP", "customer1", "lb1", 80, row="shop-http")
    s.service(70, "PostgreSQL", "app1", "db2", 5432, row="application-replica")
    s.service(80, "TLS", "web1", "app1", 9443, row="payment")
    s.service(90, "DNS", "app2", "dns1", 53, "udp", row="all-dns")
    s.service(100, "SNMP", "web1", "mon1", 162, "udp", row="traps", outcome="one-way")
    s.talk(110, "SSH", "jump1", "db1", 22, web.ssh_session(s.net.prng("jump")), row="admin-ssh")


def _wrong(s):
    for second in (31, 271, 511):
        s.blocked(
            second,
            "-",
            "app2",
            "cache1",
            6379,
            "rst",
            tries=1,
            row="application-cache",
            outcome="refused",
            intended="refused",
        )
    s.finding(
        "misdropped",
        "app2",
        "cache1",
        "tcp/6379",
        "application-cache",
        "refused",
        "the cache refuses the second application server",
    )
    s.service(150, "PostgreSQL", "web2", "db1", 5432, kind="no-row", note="a web server at the database", **VIOLATION)
    s.finding("no-row", "web2", "db1", "tcp/5432", "", "established", "a web server at the database")
    s.service(
        210,
        "TLS",
        "customer2",
        "web1",
        443,
        kind="wrong-role",
        row="shop-https",
        note="past the load balancer",
        **VIOLATION
    )
    s.finding(
        "wrong-role", "customers", "web1", "tcp/443", "shop-https", "established", "a customer past the load balancer"
    )
    s.service(300, "TLS", "lb1", "web2", 443, kind="option-off", row="balancer-web-tls", **VIOLATION)
    s.finding(
        "option-off",
        "lb1",
        "web2",
        "tcp/443",
        "balancer-web-tls",
        "established",
        "TLS behind the load balancer is switched off at this site",
    )
    s.talk(
        360,
        "SSH",
        "customer1",
        "lb1",
        443,
        web.ssh_session(s.net.prng("tunnel")),
        kind="wrong-protocol",
        row="shop-https",
        **VIOLATION
    )
    s.finding(
        "wrong-protocol", "customers", "lb1", "tcp/443", "shop-https", "established", "SSH on the port of the shop"
    )
    s.service(420, "PostgreSQL", "db1", "db2", 5432, kind="wrong-direction", row="replication", **VIOLATION)
    s.finding(
        "wrong-direction", "db1", "db2", "tcp/5432", "replication", "established", "the replica connects to the primary"
    )
    s.service(450, "HTTP", "web1", "app1", 8088, kind="wrong-port", row="web-application", **VIOLATION)
    s.finding(
        "wrong-port",
        "web1",
        "app1",
        "tcp/8088",
        "web-application",
        "established",
        "the application listens on 8080-8087",
    )


def build():
    s = Scenario(20260303, START)
    for name, address in HOSTS:
        s.host(name, address, ttl=64, ephemeral=32768 + 256 * int(address.rsplit(".", 1)[1]) % 20000)
    s.host("customer1", "198.51.100.23", ttl=64, hops=11, ephemeral=50100)
    s.host("customer2", "203.0.113.77", ttl=128, hops=14, ephemeral=60300)
    _ordinary(s)
    _wrong(s)
    with s.flow("web1", None, "dns1", 53, "udp", "DNS", row="all-dns") as (_, a, sport, b):
        now = s.time(LAST - 1)
        s.net.udp(now, a, sport, b, 53, directory.dns_query(77, "app1.shop.example"))
        s.net.udp(now + wire.MS, b, 53, a, sport, directory.dns_answer(77, "app1.shop.example", address="10.40.3.21"))
    return s
