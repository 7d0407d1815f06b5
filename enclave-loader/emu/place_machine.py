#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts into the folder of the emulated machine what comes from Debian: place_machine.py QEMU LINUX BUSYBOX FOLDER

The first three are stamps of toolchain/emulator. FOLDER gets "qemu", a line with the path of the program; "vmlinuz"; and
"unavailable", which is empty, or says why the others are.
"""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../toolchain/emulator"))

import fetched  # noqa: E402


def main():
    qemu_stamp, linux_stamp, busybox_stamp, folder = sys.argv[1:]

    def write(name, text):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
            stream.write(text)

    os.makedirs(folder, exist_ok=True)
    try:
        qemu, linux = fetched.folder_of(qemu_stamp), fetched.folder_of(linux_stamp)
        fetched.folder_of(busybox_stamp)
    except fetched.Unavailable as error:
        write("unavailable", f"{error}\n")
        write("qemu", "")
        write("vmlinuz", "")
        return
    with open(os.path.join(linux, "release"), encoding="utf-8") as stream:
        release = stream.read().strip()
    write("unavailable", "")
    write("qemu", os.path.join(qemu, "qemu-system-x86_64") + "\n")
    shutil.copyfile(os.path.join(linux, f"boot/vmlinuz-{release}"), os.path.join(folder, "vmlinuz"))


if __name__ == "__main__":
    main()
