# SPDX-License-Identifier: Apache-2.0
"""The emulated machine with a monitor that attacks (vmpl-switch/emulator/monitor/hostile_host.h)."""

import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../emu"))

import machine  # noqa: E402

MONITOR = "seh/l0_hostile.elf"

# start N: runs the enclave with the secret, for N rounds, and waits until it is there.
_FUNCTIONS = """
cd /share
start() {
  rm -f /tmp/out
  nsgx-run target.elf $1 < /dev/null > /tmp/out 2> /tmp/err &
  until grep -q ready /tmp/out || ! kill -0 $!; do sleep 0.1; done
}
"""


def run(script, files=(), timeout=900):
    """Runs a shell script in the guest; its programs are in the current folder."""
    files = ["target.elf", "native/knock", *files]
    with tempfile.TemporaryDirectory() as folder:
        program = machine.changed(folder, MONITOR)
        return machine.shell(_FUNCTIONS + script, files, program=program, timeout=timeout)


def count(console, what):
    """A count that the monitor gave at the end."""
    return int(re.search(rf"L0: count {re.escape(what)} (\d+)", console)[1])


def secret(console, when="end"):
    """How many pages had the secret: [(those that a host or Linux can read, all others)], for each search."""
    found = re.findall(rf"L0: hostile: {when}: visible (\d+) hidden (\d+)", console)
    return [(int(visible), int(hidden)) for visible, hidden in found]
