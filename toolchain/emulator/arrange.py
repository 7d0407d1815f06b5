# SPDX-License-Identifier: Apache-2.0
"""Makes unpacked packages usable where they lie."""

import glob
import os

# Changes when a part has to be unpacked anew because of this file.
VERSION = 1

# QEMU with the C library that it was built for, whatever this machine has.
_QEMU = """\
#!/bin/sh
# Runs the QEMU of this folder.
here=${0%/*}
exec "$here/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" \\
  --library-path "$here/usr/lib/x86_64-linux-gnu:$here/lib/x86_64-linux-gnu" \\
  "$here/usr/bin/qemu-system-x86_64" \\
  -L "$here/usr/share/qemu" -L "$here/usr/share/seabios" -L "$here/usr/lib/ipxe/qemu" "$@"
"""


def _write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(path, mode)


def arrange(name, folder):
    if name == "qemu":
        _write(os.path.join(folder, "qemu-system-x86_64"), _QEMU, 0o755)
    if name == "linux":
        (kernel,) = glob.glob(f"{glob.escape(folder)}/boot/vmlinuz-*")
        release = os.path.basename(kernel).removeprefix("vmlinuz-")
        _write(os.path.join(folder, "release"), release + "\n")
        # Debian's Makefile names the place where the package would be installed.
        makefile = os.path.join(folder, "usr/src", f"linux-headers-{release}", "Makefile")
        with open(makefile, encoding="utf-8") as stream:
            text = stream.read()
        _write(makefile, text.replace("include /usr/src/", "include $(dir $(lastword $(MAKEFILE_LIST)))../"))
        os.symlink(f"usr/src/linux-headers-{release}", os.path.join(folder, "headers"))
