#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hostile kernel at VMPL1, on the emulated machine, beside an enclave with a secret. It runs in the out folder.

The machine's memory is a file, so that the secret can be looked for from outside: while the enclave lives it must be found
(or the search would prove nothing), and when the machine has ended it must be gone.

With a defence switched off by hand these fail: without RMPADJUST of donated pages program.enclave_read and _write, then the
SEH ends the machine; without the check of fw_cfg's DMA every dma row but the first two; without L0's last scrub
test_a_crash_leaves_nothing_behind (not the power-off: nsgx.ko destroys the enclave before it). Without the
zeroing of pages that change hands in the SEH reclaim.not_zero.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../emu"))

import machine  # noqa: E402

# What canary.cc makes of its masked bytes.
_SECRET = bytes(byte ^ 0x5A for byte in b"NSGXcanary-of-the-hostile-guest!") * 4

# Outcomes of the attacks: results of svsm.h and seh_calls.h, of the instruction, or how often something got through.
_OUTCOMES = [
    # T-16: memory of the SEH, of enclaves and of the monitor, by the kernel and by a program; how many pages answered.
    (
        "fault",
        "program.enclave_read program.enclave_write program.enclave_run program.seh_read program.seh_write "
        "program.seh_run program.pvalidate enclave.pvalidate enclave.unvalidate seh.unvalidate "
        "own.unvalidate"
    ),
    (
        "0x0",
        "seh.read seh.write enclave.read enclave.write enclave.alias_private enclave.alias_shared "
        "enclave.alias_shared_write monitor.read monitor.write"
    ),
    # VMGEXIT is for every ring. Linux, as the SEH, sees to it that programs ask for nothing by it.
    ("0x1", "enclave.has_pages program.vmgexit"),
    ("0x2", "enclave.rmpadjust_vmpl1 enclave.rmpadjust_vmpl2 seh.rmpadjust_vmpl1 own.rmpadjust_vmsa"),
    # T-16, T-18: the SVSM's PVALIDATE with pages and lists that are not the guest's.
    (
        "0x80000003",
        "pvalidate.seh pvalidate.seh_rescind pvalidate.seh_large pvalidate.enclave pvalidate.enclave_rescind "
        "pvalidate.calling_area_rescind pvalidate.monitor pvalidate.device pvalidate.c_bit pvalidate.highest "
        "pvalidate.list_in_seh pvalidate.list_in_enclave pvalidate.list_highest"
    ),
    ("0x80001010", "pvalidate.twice"),
    ("0x80000005", "pvalidate.reserved pvalidate.large_unaligned pvalidate.list_unaligned"),
    # T-16: pages that cannot be donated; a list in the page that it gives away; what comes back is zeros.
    ("0x80001005", "donate.seh donate.seh_last donate.enclave donate.calling_area donate.shared donate.screen"),
    ("0x80001001", "donate.monitor donate.device donate.c_bit donate.highest donate.unaligned donate.low_bit"),
    ("0x80000003", "donate.list_in_seh donate.list_in_enclave"),
    ("0x80000005", "donate.list_unaligned donate.list_highest"),
    ("0x80001004", "donate.no_enclave donate.wide_enclave"),
    ("0x80000004", "donate.many"),
    ("0x0", "donate.its_list donate.its_list_read reclaim.not_zero"),
    ("0x1", "reclaim.brings_it_back"),
    # T-16: calls that would have the SEH write or read where its guest may not.
    (
        "0x80000003",
        "call.info_to_seh call.info_to_enclave call.reclaim_to_seh call.reclaim_to_enclave call.create_in_seh "
        "call.remap_area_to_seh call.remap_area_to_enclave"
    ),
    ("0x80001002", "call.add_after_init call.add_zero_after_init"),
    ("0x80001005", "call.debug_read call.debug_write"),
    ("0x80000002", "call.unknown"),
    ("0x80000005", "call.remap_area_unaligned"),
    # T-17: processors with more rights than the guest, and the page of a good one.
    (
        "0x80000005",
        "vcpu.vmpl0 vcpu.efer vcpu.no_snp vcpu.debug_swap vcpu.vtom vcpu.area_is_vmsa vcpu.delete_again "
        "vcpu.delete_seh"
    ),
    ("0x80000003", "vcpu.in_seh vcpu.in_enclave vcpu.area_in_seh vmsa.rescind vmsa.again"),
    # What is in it is the guest's own.
    ("0x1", "vcpu.refused_is_ours vmsa.read"),
    ("0x0", "vcpu.good vmsa.write vcpu.delete"),
    ("0x2", "vmsa.rmpadjust"),
    ("0x80001005", "vmsa.donate"),
    # Switches that are no calls; nobody is served.
    ("0x0", "switch.not_pending_is_served switch.pending_two_is_served"),
    ("0x1", "switch.to_other_vmpls_is_refused"),
    # T-16: fw_cfg's DMA; the first two show that it works where it may.
    ("0x0", "dma.to_shared"),
    ("0x1", "dma.to_shared_works dma.to_enclave dma.to_seh dma.to_monitor dma.to_private dma.over_the_end"),
]
_EXPECTED = {name: outcome for outcome, names in _OUTCOMES for name in names.split()}

_START = """
mkfifo /tmp/go
insmod /share/nsgx_attack.ko || echo no module
nsgx-run --machine=snp /share/canary.elf < /tmp/go > /tmp/canary &
exec 3> /tmp/go
until grep -q ready /tmp/canary; do sleep 0.1; done
check() {
  echo check >&3
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ $(grep -c "intact\\|hurt" /tmp/canary) = $1 ] && break
    sleep 0.1
  done
  echo canary $(tail -n 1 /tmp/canary)
}
check 1
"""


def holds_secret(path):
    """Whether a sparse file has it in a place of its own."""
    step = 16 << 20
    with open(path, "rb") as stream:
        end = os.fstat(stream.fileno()).st_size
        at = 0
        while at < end:
            try:
                at = os.lseek(stream.fileno(), at, os.SEEK_DATA)
            except OSError:
                return False
            if _SECRET in os.pread(stream.fileno(), step + len(_SECRET), at):
                return True
            at += step
    return False


class HostileGuestTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.memory = os.path.join(folder.name, "memory")
        file = f"memory-backend-file,id=ram,size=1G,share=on,mem-path={self.memory}"
        self.program = machine.changed(folder.name, qemu_options=f"-machine memory-backend=ram -object {file}")

    def attack(self, script):
        """Runs it in a guest with a living canary. Returns how that ended, and the console with L0's lines."""
        files = ["canary.elf", "nsgx_attack.ko", "native/attacker"]
        result = machine.shell(_START + script, files, program=self.program)
        return result, result.console

    def outcomes(self, result):
        return dict(line.split(" ", 1) for line in result.out.decode().splitlines() if re.match(r"[a-z]+\.\S+ ", line))

    def check_scrubbed(self, log):
        self.assertRegex(log, r"L0: count scrubbed [1-9][0-9]{3}")
        self.assertFalse(holds_secret(self.memory))

    def test_attacks_that_leave_the_machine_alive(self):
        result, log = self.attack("/share/attacker; cat /dev/nsgx_attack; check 2; exec 3>&-; wait; exit 7\n")
        self.assertEqual(result.status, 7, (result, log))
        self.maxDiff = None
        self.assertEqual(self.outcomes(result), _EXPECTED)
        self.assertEqual(re.findall(rb"canary (\w+)", result.out), [b"intact", b"intact"])
        self.check_scrubbed(log)

    def test_a_crash_leaves_nothing_behind(self):
        """No notifier runs: nsgx.ko has not destroyed the enclave, L0 alone scrubs."""
        result, log = self.attack("echo c > /proc/sysrq-trigger\n")
        self.assertIn(b"canary intact", result.out)
        self.assertIn("L0: end: reset by VMPL1", log)
        self.check_scrubbed(log)

    def test_a_power_off_leaves_nothing_behind(self):
        result, log = self.attack("poweroff -f\nsleep 100\n")
        self.assertIn(b"canary intact", result.out)
        self.assertIn("L0: end: power off by VMPL1", log)
        self.check_scrubbed(log)

    def test_a_page_walk_through_an_enclave_ends_the_machine(self):
        result, log = self.attack("echo walk > /dev/nsgx_attack\necho alive\n")
        self.assertNotIn(b"alive", result.out)
        self.assertRegex(log, "L0: denied: VMPL1 reached for a page beyond its rights")
        self.assertIn("L0: end: VMPL1 cannot continue without", log)
        self.check_scrubbed(log)

    def test_pages_that_the_host_takes_away_end_the_machine(self):
        """They are as good as encrypted then; the SEH must not go on without them."""
        result, log = self.attack("echo share > /dev/nsgx_attack\ncheck 2\necho alive\n")
        self.assertNotIn(b"alive", result.out)
        self.assertIn("L0: denied: VMPL0 reached for a shared page, privately", log)
        self.check_scrubbed(log)

    def test_the_search_finds_a_secret(self):
        """Whoever ends QEMU leaves L0 no time to scrub. (A processor's memory is encrypted then.)"""
        with tempfile.TemporaryDirectory() as share:
            for file in ("canary.elf", "nsgx_attack.ko"):
                os.symlink(os.path.abspath(file), os.path.join(share, file))
            command = [self.program, "--machine=emu", "--emu-shell", f"--emu-share={share}"]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                process.stdin.write(_START.encode() + b"sleep 100\n")
                process.stdin.flush()
                self.assertEqual(process.stdout.readline(), b"canary intact\n")
                self.assertTrue(holds_secret(self.memory))
                process.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    machine.require()
    unittest.main()
