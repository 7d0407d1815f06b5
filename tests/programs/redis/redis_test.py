#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Redis server in an enclave answers redis-cli, redis-benchmark and a small client of ours as its native twin does."""

import os
import socket
import subprocess
import sys
import tempfile
import unittest

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(_HERE))

import twins  # noqa: E402

_TIMEOUT = 60
_SIDES = ("enclave", "native")


def client(port, *words, stdin=""):
    """What redis-cli prints."""
    done = subprocess.run(
        [*twins.command("redis/redis-cli", "native"), "-p", str(port), *words], input=stdin, capture_output=True, text=True,
        timeout=_TIMEOUT,
    )
    return done.stdout + done.stderr


def serve(side, *options, folder=None, run_options=()):
    """A server that is shut down in the end. Its files are in `folder`, or in one that goes with it."""
    port = twins.free_port()
    folder = folder or "/tmp"
    return port, twins.server(
        "redis/redis-server", side, port, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
        *options, options=run_options, stop=lambda: client(port, "SHUTDOWN", "NOSAVE"),
    )


class Connection:
    """Talks to a server line by line."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT)
        self.file = self.socket.makefile("rb")

    def send(self, line):
        self.socket.sendall(line.encode() + b"\r\n")

    def answer(self):
        """One reply, with its parts."""
        line = self.file.readline().rstrip(b"\r\n").decode()
        kind, rest = line[0], line[1:]
        if rest == "-1" and kind in "$*":
            return None
        if kind == "$":
            return self.file.read(int(rest) + 2)[:-2].decode()
        if kind == "*":
            return [self.answer() for _ in range(int(rest))]
        return int(rest) if kind == ":" else line

    def ask(self, line):
        self.send(line)
        return self.answer()

    def close(self):
        self.file.close()
        self.socket.close()


class RedisTest(unittest.TestCase):
    def test_answers_as_its_twin(self):
        with open(os.path.join(_HERE, "commands.txt"), encoding="utf-8") as stream:
            commands = stream.read()
        answers = {}
        for side in _SIDES:
            with tempfile.TemporaryDirectory() as folder:
                port, running = serve(side, folder=folder if side == "native" else None)
                with running as process:
                    answers[side] = client(port, stdin=commands)
                self.assertIn("bye bye", process.said)
        self.assertEqual(answers["enclave"], answers["native"])
        for part in ("hello enclave", "5000050000", "QUEUED", "value that a script returns", "NOSUCHCOMMAND"):
            self.assertIn(part, answers["enclave"])

    def test_publishes(self):
        port, running = serve("enclave")
        with running:
            listeners = [Connection(port) for _ in range(10)]
            for listener in listeners:
                self.assertEqual(listener.ask("PSUBSCRIBE news.*"), ["psubscribe", "news.*", 1])
            speaker = Connection(port)
            for number in range(100):
                self.assertEqual(speaker.ask(f"PUBLISH news.today {number}"), 10)
            for listener in listeners:
                for number in range(100):
                    self.assertEqual(listener.answer(), ["pmessage", "news.*", "news.today", str(number)])
            for connection in (*listeners, speaker):
                connection.close()

    def test_transactions_see_what_others_do(self):
        port, running = serve("enclave")
        with running:
            first, second = Connection(port), Connection(port)
            self.assertEqual(first.ask("SET money 10"), "+OK")
            self.assertEqual(first.ask("WATCH money"), "+OK")
            self.assertEqual(second.ask("INCR money"), 11)
            self.assertEqual(first.ask("MULTI"), "+OK")
            self.assertEqual(first.ask("SET money 0"), "+QUEUED")
            self.assertIsNone(first.ask("EXEC"))
            # A client that waits is woken by another one; one that nobody answers gives up.
            first.send("BLPOP queue 0")
            self.assertEqual(second.ask("RPUSH queue job"), 1)
            self.assertEqual(first.answer(), ["queue", "job"])
            self.assertIsNone(first.ask("BLPOP queue 0.05"))
            first.close()
            second.close()

    def test_saves_and_loads_without_a_fork(self):
        port, running = serve("enclave", "--enable-debug-command", "yes")
        with running:
            client(port, stdin="".join(f"SET key:{i} {'value' * 20}{i}\n" for i in range(2000)))
            self.assertEqual(client(port, "SAVE").strip(), "OK")
            before = client(port, "DEBUG", "DIGEST")
            self.assertEqual(client(port, "DEBUG", "RELOAD").strip(), "OK")
            self.assertEqual(client(port, "DEBUG", "DIGEST"), before)
            self.assertEqual(client(port, "DBSIZE").strip(), "2000")
            # In the background it needs a fork, says so, and goes on.
            self.assertIn("ERR", client(port, "BGSAVE"))
            self.assertIn("rdb_last_bgsave_status:err", client(port, "INFO", "persistence"))
            self.assertEqual(client(port, "PING").strip(), "PONG")

    def test_keeps_a_log(self):
        port, running = serve("enclave", "--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "yes")
        with running:
            client(port, stdin="".join(f"INCRBY sum {i}\nRPUSH list {i}\n" for i in range(500)))
            self.assertEqual(client(port, "DEBUG", "LOADAOF").strip(), "OK")
            self.assertEqual(client(port, "GET", "sum").strip(), str(sum(range(500))))
            self.assertEqual(client(port, "LLEN", "list").strip(), "500")

    def test_files_outlive_it(self):
        for options, save in ((["--appendonly", "yes", "--appendfsync", "always"], "PING"), ([], "SAVE")):
            with self.subTest(save), tempfile.TemporaryDirectory() as folder:
                mount = ("--mount", f"{folder}:/data:rw")
                port, running = serve("enclave", *options, folder="/data", run_options=mount)
                with running:
                    client(port, stdin="".join(f"SET key:{i} {i}\nINCRBY sum {i}\n" for i in range(300)))
                    client(port, save)
                    before = client(port, "GET", "sum")
                port, running = serve("enclave", *options, folder="/data", run_options=mount)
                with running:
                    self.assertEqual(client(port, "DBSIZE").strip(), "301")
                    self.assertEqual(client(port, "GET", "sum"), before)
                # What one wrote, a native server reads.
                port, running = serve("native", *options, folder=folder)
                with running:
                    self.assertEqual(client(port, "GET", "sum"), before)

    def test_many_clients(self):
        for options in ([], ["--io-threads", "3", "--io-threads-do-reads", "yes"]):
            port, running = serve("enclave", *options)
            with self.subTest(options), running:
                done = subprocess.run(
                    [*twins.command("redis/redis-benchmark", "native"), "-p", str(port), "-n", "3000", "-c", "30", "-r", "100",
                     "--csv", "-t", "set,get,incr,lpush,lrange_100,mset"],
                    capture_output=True, text=True, timeout=300,
                )
                self.assertEqual(done.returncode, 0, done.stderr)
                for name in ("SET", "GET", "INCR", "LPUSH", "MSET (10 keys)"):
                    self.assertIn(f'"{name}"', done.stdout)
                # LPUSH, and what fills the list for LRANGE.
                self.assertGreaterEqual(int(client(port, "LLEN", "mylist")), 3000)


if __name__ == "__main__":
    unittest.main()
