#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the whole machine emu: monitor, SEH, Linux, module, enclaves. emulator_test.py [--all]

Without --all only what shows that the machine is whole; each start of it takes seconds.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import machine  # noqa: E402

_NONCE = "8a55c0ffee"


def on_sim(*arguments, given=b""):
    done = subprocess.run(["./nsgx-run", "--machine=sim", *arguments], input=given, capture_output=True, check=False)
    return done.returncode, done.stdout


class EmulatorTest(unittest.TestCase):
    def test_evidence(self):
        """An enclave hands out evidence, and somebody outside verifies it: the road of examples/06-attestation."""
        result = machine.run("attestation.elf", _NONCE)
        self.assertEqual(result.status, 0, result)
        with tempfile.NamedTemporaryFile() as file:
            file.write(result.out)
            file.flush()
            with open("emu/seh.digest", encoding="ascii") as stream:
                digest = stream.read().strip()

            def verify(*options):
                command = ["./nsgx-verify", file.name, "--nonce", _NONCE, "--json", *options]
                done = subprocess.run(command, capture_output=True, check=False)
                checks = json.loads(done.stdout)["checks"]
                return done.returncode, {check["name"] for check in checks if check["result"] == "failed"}

            self.assertEqual(verify("--allow-simulated"), (0, set()))
            self.assertEqual(verify("--seh-measurement", digest), (1, {"root", "machine"}))
            # The report has the launch digest that the build printed, and the identity that it had on this machine.
            identity = machine.identity_of("attestation.elf")
            known = ("--allow-simulated", "--seh-measurement", digest, "--identity", identity)
            self.assertEqual(verify(*known), (0, set()))
            other = digest[:-1] + ("0" if digest[-1] != "0" else "1")
            self.assertEqual(verify("--allow-simulated", "--seh-measurement", other), (1, {"seh-measurement"}))
        self.assertIn("reboot: Power down", result.console)

    def test_programs_end_as_on_sim(self):
        """Every way to end, in one start of the machine."""
        ways = ["return", "exit", "quick_exit", "_exit", "exit_in_thread", "pthread_exit", "ignored"]
        ways += ["abort", "throw", "segv", "ill"]
        script = "cd /share\n" + "".join(f"nsgx-run ending.elf {way}; echo = $?\n" for way in ways)
        result = machine.shell(script, ["ending.elf"])
        self.assertEqual(result.status, 0, result)
        expected = b""
        for way in ways:
            status, out = on_sim("ending.elf", way)
            expected += out + f"= {status}\n".encode()
        self.assertEqual(result.out, expected)
        # Linux noticed nothing odd.
        self.assertNotRegex(result.console, r"rcu: |WARNING|BUG|Call Trace|soft lockup")

    def test_two_processors(self):
        """Enclaves on either processor, and on both at once; then one of them goes and comes back."""
        script = "cd /share\n"
        script += "taskset 1 nsgx-run hello.elf; taskset 2 nsgx-run hello.elf\n"
        script += "taskset 1 nsgx-run threads.elf & taskset 2 nsgx-run threads.elf; wait\n"
        script += "cd /sys/devices/system/cpu; echo 0 > cpu1/online; cat online\n"
        script += "nsgx-run /share/hello.elf; echo 1 > cpu1/online; cat online; taskset 2 nsgx-run /share/hello.elf\n"
        result = machine.shell(script, ["hello.elf", "threads.elf"], processors=2)
        hello = on_sim("hello.elf")[1]
        threads = on_sim("threads.elf")[1]
        self.assertEqual(result.out, 2 * hello + 2 * threads + b"0\n" + hello + b"0-1\n" + hello, result)
        self.assertNotRegex(result.console, r"rcu: |WARNING|BUG|Call Trace|soft lockup")

    def test_linux_is_at_vmpl1(self):
        script = "cat /sys/devices/system/cpu/sev/vmpl; ls -l /dev/nsgx /dev/sev-guest | wc -l; dmesg | grep SEV\n"
        result = machine.shell(script)
        self.assertRegex(result.out.decode(), r"^1\n2\n")
        self.assertRegex(result.out.decode(), "SEV: SNP running at VMPL1")


class MoreEmulatorTest(unittest.TestCase):
    def test_hello_is_the_same_program(self):
        identity = machine.identity_of("hello.elf")
        result = machine.run(f"--identity={identity}", "hello.elf")
        self.assertEqual((result.status, result.out), on_sim(f"--identity={identity}", "hello.elf"), result)
        result = machine.run("--identity=" + "0" * 64, "hello.elf")
        self.assertEqual(result.status, 126, result)

    def test_arguments_and_environment(self):
        arguments = ("--env", "GREETING=Good morning", "./args-env.elf", "one two", "three")
        result = machine.run(*arguments)
        self.assertEqual((result.status, result.out), on_sim(*arguments), result)

    def test_streams(self):
        given = os.urandom(300_000)
        result = machine.run("copy.elf", given=given)
        self.assertEqual((result.status, result.out == given), (0, True), result.err)

    def test_threads(self):
        result = machine.run("threads.elf")
        self.assertEqual((result.status, result.out), on_sim("threads.elf"), result)

    def test_stats(self):
        result = machine.run("--stats=json", "hello.elf")
        self.assertEqual(result.status, 0, result)
        stats = json.loads(result.err)
        self.assertEqual(stats["machine"], "snp")

    def test_the_module_comes_and_goes(self):
        """Two hundred times in one boot."""
        script = "cd /lib/modules; n=0\n"
        script += "while [ $n -lt 200 ]; do rmmod nsgx && insmod nsgx.ko || exit 1; n=$((n+1)); done\n"
        script += "cd /share; nsgx-run hello.elf; echo $n\n"
        result = machine.shell(script, ["hello.elf"], timeout=300)
        self.assertRegex(result.out, rb"enclave.\n200\n$", result)


if __name__ == "__main__":
    machine.require()
    if "--all" in sys.argv:
        sys.argv.remove("--all")
    else:
        del MoreEmulatorTest
    unittest.main()
