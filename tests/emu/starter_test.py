#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of nsgx-run --machine=emu, initramfs and init, without monitor and SEH: see plain_qemu.py."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import machine  # noqa: E402

_PLAIN_QEMU = os.path.join(os.path.dirname(os.path.abspath(__file__)), "plain_qemu.py")


def descendants(process):
    """Of a running process, by number; children before their own children."""
    found = []
    for task in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{task}/children", encoding="ascii") as stream:
            for child in stream.read().split():
                found += [int(child), *descendants(int(child))]
    return found


def is_alive(process):
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class StarterTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.program = os.path.join(self.folder, "nsgx-run")
        shutil.copy("nsgx-run", self.program)
        shutil.copytree("emu", os.path.join(self.folder, "emu"))
        # Neither is looked at.
        for name in ("monitor.elf", "seh.igvm"):
            with open(os.path.join(self.folder, "emu", name), "w", encoding="utf-8") as stream:
                stream.write("x")
        self.break_machine("none")

    def break_machine(self, fault):
        with open("emu/qemu", encoding="utf-8") as stream:
            qemu = stream.read().strip()
        script = os.path.join(self.folder, "qemu.sh")
        with open(script, "w", encoding="utf-8") as stream:
            stream.write(f'#!/bin/sh\nexec "{sys.executable}" "{_PLAIN_QEMU}" "{qemu}" ./nsgx-run {fault} "$@"\n')
        os.chmod(script, 0o755)
        with open(os.path.join(self.folder, "emu", "qemu"), "w", encoding="utf-8") as stream:
            stream.write(script + "\n")

    def run_emu(self, *arguments, **options):
        return machine.run(*arguments, program=self.program, **options)

    def test_runs_an_image(self):
        result = self.run_emu("--env", "WHO=me", "./args-env.elf", "one two", "three")
        native = subprocess.run(
            [self.program, "--machine=sim", "--env", "WHO=me", "./args-env.elf", "one two", "three"],
            capture_output=True,
            check=False,
        )
        self.assertEqual((result.status, result.out), (native.returncode, native.stdout), result)

    def test_streams_are_clean(self):
        """What goes in comes out, byte for byte and to the end."""
        given = os.urandom(2_000_000)
        result = self.run_emu("copy.elf", given=given)
        self.assertEqual((result.status, result.err), (0, b""))
        self.assertEqual(result.out, given)
        self.assertIn("reboot: Power down", result.console)

    def test_shares_folders(self):
        given = os.urandom(2_000_000)
        os.makedirs(f"{self.folder}/share/deep")
        with open(f"{self.folder}/share/deep/file", "wb") as stream:
            stream.write(given)
        script = b"cat /data/deep/file; echo error >&2; exit 43\n"
        result = self.run_emu("--emu-shell", f"--emu-share={self.folder}/share:/data", given=script)
        self.assertEqual((result.status, result.err), (43, b"error\n"))
        self.assertEqual(result.out, given)

    def test_the_machine_waits_for_a_slow_reader(self):
        given = os.urandom(2_000_000)
        command = [self.program, "--machine=emu", "--emu-shell", f"--emu-share={self.folder}:/data"]
        with open(f"{self.folder}/file", "wb") as stream:
            stream.write(given)
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            self.addCleanup(process.kill)
            process.stdin.write(b"cat /data/file; echo written >&2; exit 7\n")
            process.stdin.close()
            # By then Linux has given all of it to the port, and most of it lies in the guest's memory.
            self.assertEqual(process.stderr.read(len(b"written\n")), b"written\n")
            time.sleep(3)
            self.assertEqual(process.stdout.read(), given)
            self.assertEqual((process.wait(60), process.stderr.read()), (7, b""))

    def test_a_published_port_leads_inside(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [self.program, "--machine=emu", f"--emu-publish={port}:80", "--emu-shell"]
        # Serves one after the other until somebody says that it was seen: on a busy machine who was served may have given up.
        script = b"until nc -l -p 80 < /proc/version | grep -q seen; do :; done; exit 5\n"
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            self.addCleanup(process.kill)
            process.stdin.write(script)
            process.stdin.close()
            got = b""
            until = time.monotonic() + 150
            # QEMU takes connections before the guest does, and drops them then.
            while process.poll() is None and time.monotonic() < until:
                time.sleep(0.3)
                try:
                    with socket.create_connection(("127.0.0.1", port), 30) as connection:
                        answer = connection.recv(100)
                        if answer:
                            got = answer
                            connection.sendall(b"seen\n")
                            connection.shutdown(socket.SHUT_WR)
                            while connection.recv(1000):
                                pass
                except OSError:
                    pass
            self.assertRegex(got, b"^Linux version 6")
            self.assertEqual(process.wait(60), 5)

    def test_ends_of_its_own_leave_nothing_behind(self):
        for number, started in ((signal.SIGINT, False), (signal.SIGTERM, True), (signal.SIGKILL, True)):
            command = [self.program, "--machine=emu", "--emu-shell"]
            with self.subTest(signal=number), subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            ) as process:
                self.addCleanup(process.kill)
                if started:
                    process.stdin.write(b"echo here\n")
                    process.stdin.flush()
                    self.assertEqual(process.stdout.readline(), b"here\n")
                else:
                    time.sleep(1)
                others = descendants(process.pid)
                self.assertTrue(others)
                process.send_signal(number)
                self.assertEqual(process.wait(10), -number)
                time.sleep(0.2)
                self.assertEqual([other for other in others if is_alive(other)], [])

    def test_nobody_reads(self):
        """As a pipeline whose end closes."""
        with subprocess.Popen(
            [self.program, "--machine=emu", "--emu-shell"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            process.stdin.write(b"yes\n")
            process.stdin.close()
            self.assertEqual(process.stdout.read(4), b"y\ny\n")
            process.stdout.close()
            self.assertEqual(process.wait(30), 128 + signal.SIGPIPE)

    def test_says_how_a_machine_died(self):
        self.break_machine("no-guest")
        result = self.run_emu("hello.elf")
        self.assertEqual(result.status, 125)
        self.assertRegex(
            result.err, b"^nsgx-run: the emulated machine: .* before the program started; .* this machine does not start;"
        )
        self.break_machine("dead-guest")
        result = self.run_emu("hello.elf")
        self.assertEqual(result.status, 125)
        self.assertRegex(result.err, b"Kernel panic - not syncing: Attempted to kill init")
        self.assertEqual(result.err.count(b"\n"), 1)

    def test_says_what_is_missing(self):
        self.assertEqual(self.run_emu("nothing.elf").status, 127)
        os.unlink(os.path.join(self.folder, "emu", "initramfs"))
        result = self.run_emu("hello.elf")
        self.assertEqual(result.status, 125)
        self.assertRegex(result.err, b"initramfs is missing; build it with `ninja -C out emu`")


if __name__ == "__main__":
    machine.require()
    unittest.main()
