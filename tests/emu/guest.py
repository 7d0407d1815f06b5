# SPDX-License-Identifier: Apache-2.0
"""Boots the guest of the emulated machine without monitor and SEH: Linux directly under QEMU, on the machine sim inside.

For tests of kernel, initramfs, init and the ports: what is wrong there shows without anything below being right."""

import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../vmpl-switch/emulator/guest"))

import cpio  # noqa: E402

_MARKER = b"0123456789abcdef" * 2
_PORTS = ("stdin", "stdout", "stderr", "control")


class Guest:
    def __init__(self, folder, qemu, kernel, files, command, extra=()):
        archive = cpio.Archive()
        for path, data in files.items():
            archive.add_file(path, data, 0o755)
        records = [f"marker {_MARKER.decode()}", *command]
        archive.add_file("run/nsgx/command", b"".join(record.encode() + b"\0" for record in records))
        self.initrd = os.path.join(folder, "initrd")
        with open(os.path.join("emu", "initramfs"), "rb") as base, open(self.initrd, "wb") as out:
            out.write(base.read() + archive.bytes())

        self.ports, theirs, devices = {}, [], []
        for name in _PORTS:
            ours, other = socket.socketpair()
            self.ports[name] = ours
            theirs.append(other)
            devices += ["-chardev", f"socket,id={name},fd={other.fileno()}"]
            devices += ["-device", f"virtserialport,chardev={name},name=org.nsgx.{name}"]
        self.console = os.path.join(folder, "console")
        arguments = [qemu, "-accel", "tcg", "-M", "q35", "-cpu", "EPYC,+svm,+npt,phys-bits=48", "-m", "1G"]
        arguments += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        arguments += ["-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console"]
        arguments += ["-device", "virtio-serial-pci,disable-legacy=on,iommu_platform=on", *devices, *extra]
        arguments += ["-kernel", kernel, "-initrd", self.initrd]
        arguments += ["-append", "console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check"]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, pass_fds=[end.fileno() for end in theirs])
        for end in theirs:
            end.close()

    def run(self, given=b"", timeout=100):
        """Returns (what init said, standard output, standard error), the streams without their markers."""
        got = {}

        def read(name):
            data = b""
            while block := self.ports[name].recv(1 << 16):
                data += block
            got[name] = data

        readers = [threading.Thread(target=read, args=(name,)) for name in _PORTS[1:]]
        for reader in readers:
            reader.start()
        self.ports["stdin"].sendall(given)
        self.ports["stdin"].shutdown(socket.SHUT_WR)
        try:
            self.process.wait(timeout)
        finally:
            self.process.kill()
            self.process.wait()
            for reader in readers:
                reader.join()
            for port in self.ports.values():
                port.close()
        for name in ("stdout", "stderr"):
            if not got[name].endswith(_MARKER):
                raise AssertionError(f"{name} was cut off: {got[name]!r}")
        return got["control"].decode().splitlines(), got["stdout"][: -len(_MARKER)], got["stderr"][: -len(_MARKER)]
