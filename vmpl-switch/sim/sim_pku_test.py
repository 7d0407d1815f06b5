#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs tests where there are protection keys: sim_pku_test.py INIT TEST...

On this machine if its processor has them. Otherwise under QEMU, whose software processor does, on the kernel that
Debian calls linux-image-cloud-amd64; both are older than what one develops on, which is half the point.
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


def libraries(program):
    """The shared libraries that a program needs, with its dynamic linker; none if it is static."""
    result = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return re.findall(r"(/\S+)", result.stdout) if result.returncode == 0 else []


def initial_file_system(init, tests, files=()):
    files = {"init": init} | {f"files/{os.path.basename(path)}": path for path in files}
    for index, test in enumerate(tests):
        files[f"tests/{index}-{os.path.basename(test)}"] = test
    for test in tests:
        files |= {library.lstrip("/"): library for library in libraries(test)}
    folders = {"proc", "dev", "tmp"}
    for name in files:
        folders |= {str(parent) for parent in pathlib.PurePath(name).parents} - {"."}
    entries = [cpio_entry(name, 0o40755, b"") for name in sorted(folders)]
    entries += [cpio_entry(name, 0o100755, pathlib.Path(path).read_bytes()) for name, path in files.items()]
    return gzip.compress(b"".join(entries) + cpio_entry("TRAILER!!!", 0, b""), 1)


def boot(processor, init, tests, arguments, files=()):
    """What a machine with this processor prints, on which `init` runs the tests; None if it hangs. `files` lie in /files."""
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        raise Unavailable("no qemu-system-x86_64")
    kernel = find_kernel()
    with tempfile.NamedTemporaryFile() as file_system:
        file_system.write(initial_file_system(init, tests, files))
        file_system.flush()
        command = [
            qemu, "-accel", "tcg", "-cpu", processor, "-smp", "2", "-m", "1024",
            "-nographic", "-nic", "none", "-no-reboot",
            "-kernel", str(kernel), "-initrd", file_system.name,
            "-append", f"console=ttyS0 quiet panic=-1 oops=panic mitigations=off NSGX_SIM_TICKS=500 -- {arguments}",
        ]
        print(f"{kernel.name} on {processor}")
        try:
            result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, timeout=BOOT_TIMEOUT, check=False)
        except subprocess.TimeoutExpired as error:
            print((error.stdout or b"").decode(errors="replace"))
            return None
    output = result.stdout.decode(errors="replace")
    print(output)
    return output


def run_in_qemu(init, tests):
    output = boot(PROCESSOR, init, tests, f"--gtest_brief=1 {NOT_UNDER_QEMU}")
    if output is None:
        return 1
    # Each passed, and with keys: nothing else will do.
    all_passed = output.count("exit status 0") == len(tests)
    return 0 if all_passed and "keys: 1" in output and "keys: 0" not in output else 1


def run_here(tests):
    for test in tests:
        result = subprocess.run([test, "--gtest_brief=1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, timeout=BOOT_TIMEOUT, check=False)
        print(result.stdout)
        if "keys: 0" in result.stdout:
            raise Unavailable("the kernel gives this process no protection keys")
        if result.returncode != 0:
            return 1
    return 0


def main():
    init, *tests = sys.argv[1:]
    try:
        return run_here(tests) if has_keys_here() else run_in_qemu(init, tests)
    except Unavailable as reason:
        print(reason)
        return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
