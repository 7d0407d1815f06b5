#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hostile host below the SEH and an enclave with a secret, on the emulated machine. It runs in the out folder.

The machine's monitor is the one that attacks (vmpl-switch/emulator/monitor/hostile_host.h): a program in the guest tells it what to
do and when. Before it scrubs, it looks for the secret itself: "visible" are pages that a host or Linux can read.
"""

import os
import re
import sys
import unittest

import hostile_machine
import machine

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../seh-start"))

import seh_start_test  # noqa: E402

# Attacks that end no machine: how the enclave's nsgx-run ended, and what the enclave said last.
_INTACT = "0 intact"
_ENDED = "139 ready"  # nsgx-run says why; the enclave itself has said nothing more
_OUTCOMES = [
    # Nothing is believed that the instruction does not confirm, so the enclave ends.
    (_ENDED, "ring3 vc 0x72, ring3 vc 0x7b, ring3 vc 0x7c, ring3 vc 0x6e, ring3 vc 0x81, ring3 vc 0x400, ring3 vc 0x404, ring3 vc 0x403"),
    # A processor with restricted injection refuses to inject these. What would come of it if it did not: the enclave takes them
    # for exceptions of its own, as no program could tell. A system call it does not take them for.
    ("3 signal 08", "ring3 exception 0"),
    ("3 signal 05", "ring3 exception 3"),
    ("3 signal 04", "ring3 exception 6"),
    ("3 signal 11", "ring3 exception 13 0, ring3 exception 14 4, ring3 interrupt 0x80, ring3 interrupt 0x20"),
    ("3 signal 07", "ring3 exception 17 0"),
    # Only turns end.
    (_INTACT, "ring3 hv 1, ring0 hv 1"),
    # Switches that the host says it has made, or makes without being asked.
    (_INTACT, "call skip 1, call skip 2, return skip 1, return skip 20, spurious 1, spurious 50"),
]
_ALIVE = {attack: outcome for outcome, attacks in _OUTCOMES for attack in attacks.split(", ")}

# Attacks that end the machine, by the reason with which the SEH ends it (docs/seh.md).
_REASONS = {
    "ring0 vc 0x72": 17,
}

# The same at the launch; 0: the machine starts as ever.
_LAUNCHES = {
    "map wraps": 9,
    "map overlaps": 9,
    "map longer": 10,
    "map shorter": 0,
    "map all": 0,
    "processors 64": 0,
    "cpuid-count 0": 1,
    "cpuid-count 0xffffffff": 1,
    "cpuid-bit 0": 1,
    "cpuid-random": 22,
}

_ATTACK = """
attack() {
  start 40
  ./knock $*
  wait $!
  echo "attack $*: $? $(tail -n 1 /tmp/out) $(./knock)"
  head -n 1 /tmp/err
}
"""


class HostileHostTest(unittest.TestCase):
    maxDiff = None

    def check_secret(self, console, hidden):
        """Nobody below VMPL0 could see it at the end; in the SEH's memory it was, or was not."""
        [(visible, found)] = hostile_machine.secret(console)
        self.assertEqual((visible, found != 0), (0, hidden))

    def test_attacks_that_leave_the_machine_alive(self):
        script = "".join(f"attack {attack}\n" for attack in _ALIVE)
        script += "start 4000\n./knock search\nkill -9 $!; wait; ./knock search; echo end\n"
        result = hostile_machine.run(_ATTACK + script)
        said = result.out.decode(errors="replace")
        self.assertTrue(said.endswith("end\n"), (result, result.console[-3000:]))
        found = dict(re.findall(r"^attack (.*): (.*) done$", said, re.MULTILINE))
        self.assertEqual(found, _ALIVE, said)
        # The search finds the secret while it is there, and only where it may be.
        found = [(visible, hidden != 0) for visible, hidden in hostile_machine.secret(result.console, "search")]
        self.assertEqual(found, [(0, True), (0, False)])
        self.check_secret(result.console, hidden=False)

    def test_attacks_that_end_the_machine(self):
        for attack, reason in _REASONS.items():
            with self.subTest(attack):
                result = hostile_machine.run(f"start 4000\n./knock {attack}\nsleep 3; echo alive\n")
                self.assertNotIn(b"alive", result.out)
                self.assertIn(f"end: VMPL0 terminated itself, set 7 reason 0x{reason:x}\n", result.console)
                self.check_secret(result.console, hidden=True)

    def test_answers_that_are_not_the_secure_processors(self):
        """It is refused, and the key is not used again: a number must not come twice."""
        script = "./knock message tag 1\n"
        script += "for i in 1 2; do nsgx-run attestation.elf 00ff 2>&1 > /dev/null; done; ./knock\n"
        result = hostile_machine.run(script, ["attestation.elf"])
        said = ["attestation: Bad message", "attestation: I/O error", "done"]
        self.assertEqual(result.out.decode().splitlines(), said, result)

    def test_launches(self):
        with open("emu/seh.igvm", "rb") as stream:
            igvm = stream.read()
        for launch, reason in _LAUNCHES.items():
            with self.subTest(launch):
                said = seh_start_test.start(igvm, monitor=hostile_machine.MONITOR, more=("-append", f"launch {launch}"))
                self.assertIn("hostile: done: launch", said)
                ends = re.findall(r"VMPL0 terminated itself, set 7 reason 0x([0-9a-f]+)", said)
                self.assertEqual(ends, [f"{reason:x}"] if reason else [], said[-2000:])
                self.assertEqual("[SEH] Linux at" in said, reason == 0, said[-2000:])


if __name__ == "__main__":
    machine.require()
    unittest.main()
