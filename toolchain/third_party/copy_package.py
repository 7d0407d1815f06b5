# SPDX-License-Identifier: Apache-2.0
"""Copies files of an installed Debian package into the build folder.

copy_package.py PACKAGE OUT FROM=NAME...

Writes OUT.stamp, and OUT.d, which makes the build notice a new version of the package.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from fetch.unpack import write_if_changed, write_tree  # noqa: E402


def main():
    package, out, *folders = sys.argv[1:]
    files, inputs = {}, []
    for entry in folders:
        source, name = entry.split("=")
        if not os.path.isdir(source):
            print(f"nsgx: {source} is missing: apt-get install {package}.", file=sys.stderr)
            return 1
        for parent, _, names in os.walk(source):
            for file in names:
                path = os.path.join(parent, file)
                with open(path, "rb") as stream:
                    files[os.path.normpath(os.path.join(name, os.path.relpath(path, source)))] = stream.read()
                inputs.append(path)
    write_tree(files, out)
    write_if_changed(f"{out}.d", f"{out}.stamp: {' '.join(sorted(inputs))}\n".encode())
    write_if_changed(f"{out}.stamp", b"")
    os.utime(f"{out}.stamp")
    return 0


if __name__ == "__main__":
    sys.exit(main())
