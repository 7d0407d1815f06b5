#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hostile host below the SEH and an enclave with a secret, on the emulated machine. It runs in the out folder.

The machine's monitor is the one that attacks (vmpl-switch/emulator/monitor/hostile_host.h): a program in the guest tells it what to
do and when. Before it scrubs, it looks for the secret itself: "visible" are pages that a host or Linux can read.
"""

import os
import re
import subprocess
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
    (_INTACT, "ring3 hv 1, ring3 hv 5, ring0 hv 1, ring0 hv 5"),
    # Switches that the host says it has made, or makes without being asked.
    (_INTACT, "call skip 1, call skip 2, return skip 1, return skip 20, spurious 1, spurious 50"),
]
_ALIVE = {attack: outcome for outcome, attacks in _OUTCOMES for attack in attacks.split(", ")}

# Attacks that end the machine, by the reason with which the SEH ends it (docs/seh.md).
_REASONS = {
    # The host's copy of a page would be another page: nobody validates it again, and the SEH can't wipe it.
    "ring3 unvalidate rsp": 18,
    "ring3 unvalidate rip": 18,
    "ring0 vc 0x72": 17,
    "ring0 vc 0x7c": 17,
    "ring0 vc 0x404": 18,
    "ring0 exception 0": 16,
    "ring0 exception 14 0": 16,
    "ring0 interrupt 0x80": 16,
    "ring0 nmi": 16,
    "return refuse 1": 24,
    "return garbage 1": 24,
}

# What the host answers to VMPL0's first message: a changed answer of the secure processor, which has then answered one, or
# one that the host has made up.
_MESSAGES = {kind: 1 for kind in ("tag", "data", "sequence", "type", "size", "key")}
_MESSAGES |= {kind: 0 for kind in ("echo", "nothing", "error")}

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

# With few rounds the enclave may be through with them before it is attacked, or be hit on its way out: then once more, with
# more of them.
_ATTACK = """
attack() {
  for rounds in 400 4000; do
    start $rounds
    ./knock $*
    wait $!
    ended="$? $(tail -n 1 /tmp/out)"
    state=$(./knock)
    [ "$state" = armed ] || [ "$ended" = "139 intact" ] || break
    ./knock nothing
  done
  echo "attack $*: $ended $state"
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
        script += "start 4000\n./knock search\nkill $!; wait; ./knock search; echo end\n"
        result = hostile_machine.run(_ATTACK + script)
        said = result.out.decode(errors="replace")
        self.assertTrue(said.endswith("end\n"), (result, result.console[-3000:]))
        found = dict(re.findall(r"^attack (.*): (.*) done$", said, re.MULTILINE))
        self.assertEqual(found, _ALIVE, said)
        # The search finds the secret while it is there, and only where it may be.
        found = [(visible, hidden != 0) for visible, hidden in hostile_machine.secret(result.console, "search")]
        self.assertEqual(found, [(0, True), (0, False)])
        self.check_secret(result.console, hidden=False)

    def test_an_event_behind_each_instruction_of_the_way_to_ring_3(self):
        """If what is resumed were looked for from the first instruction on, the machine would end: that one says what it is."""
        symbols = subprocess.run(["llvm-nm-19", "seh/seh.elf"], capture_output=True, text=True, check=True).stdout
        place = {name: int(address, 16) for address, _, name in re.findall(r"^(\w+) (\w) (\w+)$", symbols, re.MULTILINE)}
        begin, length = place["ResumeFromTrap"], place["resume_end"] - place["ResumeFromTrap"]
        # They have more than two bytes each; the last events come when ring 3 is there.
        script = f"""
for n in $(seq 0 {length // 2}); do
  ./knock step {begin:#x} $n 2
  nsgx-run target.elf 1 < /dev/null > /tmp/out
  echo "hit $n: $? $(tail -n 1 /tmp/out) $(./knock)"
done
"""
        result = hostile_machine.run(script)
        expected = [f"hit {n}: 0 intact done" for n in range(length // 2 + 1)]
        self.assertEqual(result.out.decode(errors="replace").splitlines(), expected, result.console[-3000:])

    def test_attacks_that_end_the_machine(self):
        for attack, reason in _REASONS.items():
            with self.subTest(attack):
                script = f"start 4000\n./knock {attack}\nsleep 3; kill $!; wait; echo alive\n"
                if machine.processors() > 1 and attack.startswith("return "):
                    # Behind a refused return another processor waits to be started: it looks as if the guest had taken its own away.
                    script = "echo 0 > /sys/devices/system/cpu/cpu1/online\n" + script
                result = hostile_machine.run(script)
                self.assertNotIn(b"alive", result.out)
                self.assertIn(f"end: VMPL0 terminated itself, set 7 reason 0x{reason:x}\n", result.console)
                self.check_secret(result.console, hidden=True)

    def test_a_page_of_an_enclave_is_taken_away(self):
        """Its memory is ciphertext then, for everybody; VMPL0 can't go on without it."""
        result = hostile_machine.run("start 4000\n./knock ring3 share rsp\nsleep 3; kill $!; wait; echo alive\n")
        self.assertNotIn(b"alive", result.out)
        self.assertIn("L0: denied: VMPL0 reached for a shared page, privately", result.console)
        self.check_secret(result.console, hidden=True)

    def test_calls_that_the_host_does_not_serve(self):
        result = hostile_machine.run("start 1\nwait\n./knock call skip 1000\nnsgx-run target.elf; echo status $?\n")
        self.assertIn(b"status 125", result.out, result)

    def test_answers_that_are_not_the_secure_processors(self):
        """Each is refused, and the key is not used again: a number must not come twice."""
        for kind, answered in _MESSAGES.items():
            with self.subTest(kind):
                script = f"./knock message {kind} 1\n"
                script += "for i in 1 2; do nsgx-run attestation.elf 00ff > /tmp/out; echo $?; done; ./knock; wc -c < /tmp/out\n"
                result = hostile_machine.run(script, ["attestation.elf"])
                self.assertEqual(result.out.decode().split(), ["1", "1", "done", "0"], result)
                self.assertEqual(hostile_machine.count(result.console, "messages"), answered)

    def test_a_busy_secure_processor(self):
        """It is asked again, with the same message."""
        script = "./knock message busy 3\nnsgx-run attestation.elf 00ff > /tmp/out; echo $?; ./knock\n"
        result = hostile_machine.run(script, ["attestation.elf"])
        self.assertEqual(result.out.decode().split(), ["0", "done"], result)

    def test_an_old_answer_of_the_secure_processor(self):
        script = "attest() { nsgx-run attestation.elf 00ff > /tmp/out; echo $?; }\n"
        script += "attest; attest; ./knock message replay 1\nattest; attest; ./knock; wc -c < /tmp/out\n"
        result = hostile_machine.run(script, ["attestation.elf"])
        self.assertEqual(result.out.decode().split(), ["0", "0", "1", "1", "done", "0"], result)

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
