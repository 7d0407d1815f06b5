#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Enclaves that serve clients outside, how many exits that costs, and names: network_outside_test.py [--numbers], run in the out folder.

With --numbers, prints exits for each request instead (docs/performance.md).
"""

import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

_TIMEOUT = 60
_NAME = "peer.nsgx.test"


def serve(kind, connections, talk):
    """Runs a server for that many connections, `talk(port)` meanwhile; returns how often it made each host call."""
    process = subprocess.Popen(["./nsgx-run", "--stats=json", "server.elf", kind, str(connections)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        talk(int(process.stdout.readline()))
        _, err = process.communicate(timeout=_TIMEOUT)
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0:
        raise RuntimeError(err)
    return json.loads(err)["host_calls"]


def ping_pong(port, connections, requests, size=64):
    """One request after the other, over the connections in turn."""
    clients = [socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) for _ in range(connections)]
    for i in range(requests):
        client = clients[i % connections]
        data = i.to_bytes(4, "little") * (size // 4)
        client.sendall(data)
        got = b""
        while len(got) < size:
            part = client.recv(size - len(got))
            assert part, "the server has gone"
            got += part
        assert got == data
    for client in clients:
        client.close()


def all_at_once(port, connections, rounds, size=64):
    """All connections have a request on its way at the same time."""
    clients = [socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) for _ in range(connections)]
    for _ in range(rounds):
        for client in clients:
            client.sendall(b"x" * size)
        for client in clients:
            got = 0
            while got < size:
                part = len(client.recv(size - got))
                assert part != 0, "the server has gone"
                got += part
    for client in clients:
        client.close()


def calls_each(kind, connections, talk, requests):
    counts = serve(kind, connections, talk)
    return {name: counts[name] / requests for name in ("wait", "socket_receive", "socket_send", "socket_poll")}


class DnsServer:
    """Knows one name: an IPv4 and an IPv6 address."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                query, client = self.socket.recvfrom(512)
            except OSError:
                return
            labels, at = [], 12
            while query[at] != 0:
                labels.append(query[at + 1 : at + 1 + query[at]].decode())
                at += 1 + query[at]
            question = query[12 : at + 5]
            kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
            data = {1: socket.inet_aton("192.0.2.77"), 28: socket.inet_pton(socket.AF_INET6, "2001:db8::77")}.get(kind)
            known = ".".join(labels) == _NAME
            answers = 1 if known and data else 0
            reply = query[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1, answers, 0, 0) + question
            if answers:
                reply += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
            self.socket.sendto(reply, client)


class OutsideTest(unittest.TestCase):

    def test_one_request_after_the_other(self):
        requests = 300
        for kind in "epoll", "threads":
            for connections in 1, 20:
                calls = calls_each(kind, connections, lambda port: ping_pong(port, connections, requests), requests)
                # One wait, one receive, one send; what starting and closing cost is counted in.
                self.assertLess(sum(calls.values()), 3.8, (kind, connections, calls))

    def test_many_at_once(self):
        connections, rounds = 100, 20
        for kind in "epoll", "threads":
            calls = calls_each(kind, connections, lambda port: all_at_once(port, connections, rounds),
                               connections * rounds)
            self.assertLess(sum(calls.values()), 3.8, (kind, calls))

    def test_idle_time_costs_nothing(self):
        def talk(port):
            with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) as client:
                client.sendall(b"x")
                client.recv(1)
                time.sleep(1)

        # With a tick that goes on while there is nothing to do, it would be 500.
        self.assertLess(serve("epoll", 1, talk)["wait"], 100)

    def test_idle_connections_cost_nothing(self):
        # As many as this process may have.
        connections = min(1000, os.sysconf("SC_OPEN_MAX") - 100)
        requests = 100

        def talk(port):
            idle = [socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) for _ in range(connections - 1)]
            ping_pong(port, 1, requests)
            for client in idle:
                client.close()

        counts = serve("epoll", connections, talk)
        # For each connection: an event, a receive that finds the end.
        self.assertLess(counts["socket_receive"], connections + 2 * requests)
        self.assertLess(counts["wait"], 2 * connections + 3 * requests)


class NameTest(unittest.TestCase):
    ADDRESS = "127.53.0.53"

    def resolve(self, name, servers):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(servers)
            file.flush()
            environment = dict(os.environ, NSGX_RESOLV_CONF=file.name)
            done = subprocess.run(["./nsgx-run", "server.elf", "name", name], stdout=subprocess.PIPE, text=True,
                                  timeout=_TIMEOUT, env=environment)
        return done.returncode, sorted(done.stdout.split("\n")[:-1])

    def test_the_hosts_name_servers_are_asked(self):
        try:
            server = DnsServer(self.ADDRESS)
        except OSError as error:
            self.skipTest(f"no name server can be had at {self.ADDRESS}: {error}")
        try:
            servers = f"# a comment\nnameserver {self.ADDRESS}\n"
            status, lines = self.resolve(_NAME, servers)
            self.assertEqual(status, 0, lines)
            self.assertIn("192.0.2.77 443", lines)
            status, lines = self.resolve("nobody.nsgx.test", servers)
            self.assertEqual(status, 2, lines)
        finally:
            server.socket.close()

    def test_localhost_needs_no_server(self):
        status, lines = self.resolve("localhost", "")
        self.assertEqual(status, 0, lines)
        self.assertIn("127.0.0.1 443", lines)


def numbers():
    print("| server | clients | wait | receive | send | ask | together |\n|---|---|---|---|---|---|---|")
    requests = 5000
    for kind in "epoll", "threads":
        for title, connections, talk in (
            ("1, one request after the other", 1, lambda port: ping_pong(port, 1, requests)),
            ("100, one request after the other", 100, lambda port: ping_pong(port, 100, requests)),
            ("100 at once", 100, lambda port: all_at_once(port, 100, requests // 100)),
        ):
            calls = calls_each(kind, connections, talk, requests)
            row = [*calls.values(), sum(calls.values())]
            print(f"| {kind} | {title} | " + " | ".join(f"{number:.2f}" for number in row) + " |")


if __name__ == "__main__":
    if "--numbers" in sys.argv:
        numbers()
    else:
        unittest.main(verbosity=2)
