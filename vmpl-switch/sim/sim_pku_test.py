#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the switch test where there are protection keys: sim_pku_test.py TEST INIT

On this machine if its processor has them. Otherwise under QEMU, whose software processor does, on the kernel that Debian
calls linux-image-cloud-amd64; both the processor and the kernel are older than what one develops on, which is half the point.
Exit status 77: neither can be had.
"""

import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
BOOT_TIMEOUT = 500
KERNEL_PACKAGE = "linux-image-cloud-amd64"
# QEMU's software processor raises neither of these exceptions.
NOT_UNDER_QEMU = "--gtest_filter=-*Alignment*:*Simd*"
# Without SMAP: QEMU reads the stack of an iretq in ring 3 as if a kernel did.
PROCESSOR = "max,-smap"


class Unavailable(Exception):
    """Why the test cannot run here."""


def has_keys_here():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return re.search(r"^flags\s*:.*\bospke\b", file.read(), re.MULTILINE) is not None


def run(*command, **options):
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"{command[0]}: {error}") from error


def find_kernel():
    """The kernel's image: downloaded once, unpacked for ourselves, not installed."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "nsgx" / "test-kernel"
    found = sorted(folder.glob("vmlinuz-*"))
    if found:
        return found[-1]
    dependencies = run("apt-cache", "depends", KERNEL_PACKAGE)
    match = re.search(r"Depends: (linux-image-\S+-cloud-amd64)", dependencies)
    if not match:
        raise Unavailable(f"apt knows no {KERNEL_PACKAGE}")
    with tempfile.TemporaryDirectory() as work:
        run("apt-get", "download", match.group(1), cwd=work)
        package = next(pathlib.Path(work).glob("*.deb"))
        run("dpkg-deb", "-x", str(package), f"{work}/root")
        image = next(pathlib.Path(work, "root", "boot").glob("vmlinuz-*"))
        folder.mkdir(parents=True, exist_ok=True)
        # Another run of this test may do the same at the same time.
        temporary = folder / f".{image.name}.{os.getpid()}"
        shutil.copyfile(image, temporary)
        temporary.rename(folder / image.name)
    return folder / image.name


def cpio_entry(name, mode, contents):
    """One entry of an archive in the format that the kernel unpacks ("newc")."""
    path = name.encode() + b"\0"
    fields = [0, mode, 0, 0, 1, 0, len(contents), 0, 0, 0, 0, len(path), 0]
    entry = b"070701" + b"".join(b"%08x" % field for field in fields) + path
    entry += b"\0" * (-len(entry) % 4) + contents
    return entry + b"\0" * (-len(entry) % 4)


def initial_file_system(test, init):
    files = [cpio_entry(name, 0o40755, b"") for name in ("proc", "dev", "tmp")]
    files += [cpio_entry(name, 0o100755, pathlib.Path(path).read_bytes()) for name, path in (("init", init), ("test", test))]
    return gzip.compress(b"".join(files) + cpio_entry("TRAILER!!!", 0, b""), 1)


def run_in_qemu(test, init):
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        raise Unavailable("no protection keys here, and no qemu-system-x86_64")
    kernel = find_kernel()
    with tempfile.NamedTemporaryFile() as file_system:
        file_system.write(initial_file_system(test, init))
        file_system.flush()
        command = [
            qemu, "-accel", "tcg", "-cpu", PROCESSOR, "-smp", "2", "-m", "512", "-nographic", "-nic", "none", "-no-reboot",
            "-kernel", str(kernel), "-initrd", file_system.name,
            "-append", f"console=ttyS0 quiet panic=-1 oops=panic mitigations=off NSGX_SIM_TICKS=500 -- {NOT_UNDER_QEMU}",
        ]
        try:
            output = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    timeout=BOOT_TIMEOUT, check=False).stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as error:
            print((error.stdout or b"").decode(errors="replace"))
            return 1
    print(f"{kernel.name} on {PROCESSOR}")
    print(output)
    # Passed, and with keys: nothing else will do.
    return 0 if "switch test: exit status 0" in output and "keys: 1" in output else 1


def run_here(test):
    result = subprocess.run([test, "--gtest_brief=1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=BOOT_TIMEOUT, check=False)
    print(result.stdout)
    if "keys: 0" in result.stdout:
        raise Unavailable("the kernel gives this process no protection keys")
    return result.returncode


def main():
    test, init = sys.argv[1:]
    try:
        return run_here(test) if has_keys_here() else run_in_qemu(test, init)
    except Unavailable as reason:
        print(reason)
        return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
