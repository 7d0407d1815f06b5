#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Has the unmodified drivers of Linux fetch hardware reports on the emulated machine, and nsgx-verify look at them.

Linux runs at VMPL1 there, below the SEH. So this tries the fake firmware against a client that nobody here has written, and
the whole way of a message: driver, GHCB, monitor, firmware, and back.
"""

import os
import re
import ssl
import struct
import subprocess
import sys
import tempfile
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../vmpl-switch/emulator/guest"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../emu"))

import cpio  # noqa: E402
import machine  # noqa: E402

_TIMEOUT = 200
_CMDLINE = "console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check"
_VMPL = 2  # of the reports; a driver may ask for its own level and those below, and Linux is at 1
_NONCE = b"N" * 64
_GUIDS = [
    "63da758d-e664-4564-adc5-f4b93be8accd",  # VCEK
    "4ab7b379-bbac-4fe4-a02f-05aef327c782",  # ASK
    "c0b406a4-a803-4952-9743-3fb6014cd0ae",  # ARK
]

# What it prints goes to the console.
_INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sysfs /sys; $b mount -t devtmpfs dev /dev
for module in `$b cat /lib/modules/always`; do
  [ $module = nsgx.ko ] || $b insmod /lib/modules/$module
done
$b mount -t configfs configfs /sys/kernel/config
show() { echo "begin $1"; $b od -An -v -tx1; echo "end $1"; }
$b cat /sys/devices/system/cpu/sev/vmpl | show level
cd /sys/kernel/config/tsm/report && $b mkdir one && cd one
echo LEVEL > privlevel
printf NONCE > inblob
$b cat outblob | show first
$b cat auxblob | show certificates
printf NONCE > inblob
$b cat outblob | show second
$b mkdir ../two && cd ../two
printf NONCE > inblob
echo 0 > privlevel && echo "was given VMPL0"
$b poweroff -f
"""


def boot():
    """Returns what the guest printed."""
    with open("emu/qemu", encoding="utf-8") as stream:
        qemu = stream.read().strip()
    archive = cpio.Archive()
    archive.add_file("init", _INIT.replace("LEVEL", str(_VMPL)).replace("NONCE", _NONCE.decode()).encode(), 0o755)
    for folder in ("proc", "sys", "dev"):
        archive.add_folder(folder)
    with tempfile.TemporaryDirectory() as folder:
        initrd = os.path.join(folder, "initrd")
        with open("emu/initramfs", "rb") as base, open(initrd, "wb") as out:
            out.write(base.read() + archive.bytes())
        console = os.path.join(folder, "console")
        command = [qemu, "-accel", "tcg", "-M", "q35", "-cpu", "EPYC,+svm,+npt,phys-bits=48", "-m", "1G", "-nodefaults"]
        command += ["-no-user-config", "-display", "none", "-no-reboot", "-serial", f"file:{console}"]
        command += ["-kernel", "emu/monitor.elf", "-initrd", "emu/seh.igvm"]
        command += ["-fw_cfg", "name=opt/org.nsgx/kernel,file=emu/vmlinuz"]
        command += ["-fw_cfg", f"name=opt/org.nsgx/initrd,file={initrd}"]
        command += ["-fw_cfg", f"name=opt/org.nsgx/cmdline,string={_CMDLINE}"]
        subprocess.run(command, stdin=subprocess.DEVNULL, timeout=_TIMEOUT, check=True)
        with open(console, encoding="utf-8", errors="replace") as stream:
            return stream.read().replace("\r", "")


class LinuxReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.console = boot()

    def shown(self, name):
        found = re.search(rf"^begin {name}$(.*?)^end {name}$", self.console, re.MULTILINE | re.DOTALL)
        self.assertIsNotNone(found, self.console)
        # The kernel's own lines do not look like these.
        return bytes.fromhex("".join(re.findall(r"^(?: [0-9a-f]{2})+$", found[1], re.MULTILINE)))

    def certificates(self):
        table = self.shown("certificates")
        found = []
        for place in range(0, len(table), 24):
            guid, offset, size = struct.unpack_from("<16sII", table, place)
            if guid == bytes(16):
                break
            found.append((str(uuid.UUID(bytes=guid)), table[offset : offset + size]))
        return found

    def test_linux_is_below_the_seh(self):
        self.assertEqual(self.shown("level"), b"1\n")
        self.assertNotIn("was given VMPL0", self.console)

    def test_report_says_who_asked(self):
        with open("emu/seh.digest", encoding="utf-8") as stream:
            digest = stream.read().strip()
        for name in ("first", "second"):
            report = self.shown(name)
            self.assertEqual(len(report), 1184)
            self.assertEqual(struct.unpack_from("<I", report, 0x30)[0], _VMPL)
            self.assertEqual(report[0x50:0x90], _NONCE)
            self.assertEqual(report[0x90:0xC0].hex(), digest)

    def test_signature_leads_to_the_fake_chip(self):
        certificates = self.certificates()
        self.assertEqual([guid for guid, _ in certificates], _GUIDS)
        with tempfile.TemporaryDirectory() as folder:

            def write(name, data):
                path = os.path.join(folder, name)
                with open(path, "wb") as stream:
                    stream.write(data)
                return path

            vcek = write("vcek.der", certificates[0][1])
            chain = write("chain.pem", "".join(ssl.DER_cert_to_PEM_cert(der) for _, der in certificates[1:]).encode())
            report = self.shown("first")
            command = ["./nsgx-verify", "--vcek", vcek, "--chain", chain, "--allow-simulated", "--snp-report"]
            good = subprocess.run([*command, write("report", report)], capture_output=True, text=True, check=False)
            self.assertIn("\nok       report-signature ", good.stdout, good.stderr)
            # All else is right, but Linux is not the SEH.
            self.assertEqual(good.stdout.splitlines()[-1], f"refused: vmpl: expected 0, got {_VMPL}")
            changed = write("changed", report[:0x90] + bytes(48) + report[0xC0:])
            bad = subprocess.run([*command, changed], capture_output=True, text=True, check=False)
            self.assertEqual(bad.returncode, 1)
            self.assertIn("\nFAILED   report-signature ", bad.stdout)


if __name__ == "__main__":
    machine.require()
    unittest.main()
