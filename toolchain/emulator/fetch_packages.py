#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes one part of the emulated machine in the cache, from Debian packages (see packages.toml).

fetch_packages.py PART STAMP [--cache FOLDER] [--depfile FILE]

The part is unpacked into FOLDER/emulator/PART; with a filled cache no network is used. STAMP gets two lines: "ok" and that
folder. A part that cannot be had does not end the build, because all else works without it: STAMP then gets
"unavailable" and the reason, and an age that makes the next build try again. The depfile names what makes a build try
again when it is gone: the part in the cache.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import tomllib

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [_HERE, os.path.join(os.path.dirname(_HERE), "third_party")]

import apt_source  # noqa: E402
import arrange  # noqa: E402
from fetch import download, mirror  # noqa: E402
from fetch.errors import FetchError, MirrorError, explain_disk_errors  # noqa: E402

# In the part's folder: a line with the part's key, then "name version sha256" for each package. Written last.
_CONTENTS = "PACKAGES"


def default_cache():
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "nsgx")


def _key(part):
    wanted = {name: value for name, value in part.items() if name != "tested"} | {"arranged": arrange.VERSION}
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]


def _is_there(folder, key):
    try:
        with open(os.path.join(folder, _CONTENTS), encoding="utf-8") as stream:
            return stream.readline().strip() == key
    except OSError:
        return False


def _names(source, part):
    """The packages' names in this source; raises FetchError if it does not have them."""
    first = part["packages"][0]
    name, version = source.newest(first) if "(" in first else (first, "")
    if not name:
        raise FetchError(
            f"{part['suites'][-1]} holds no package {first} any more; name what it holds now in {_HERE}/packages.toml"
        )
    return [name] + [other.format(version=version) for other in part["packages"][1:]]


def _check_version(first, part):
    if apt_source.is_older(first.version, part["at_least"]):
        raise FetchError(
            f"{part['suites'][-1]} has {first.name} {first.version}, and nothing before {part['at_least']} will do"
        )
    tested, _ = part["tested"]
    if first.version != tested:
        print(f"nsgx: taking {first.name} {first.version}; {tested} was tested", file=sys.stderr)


def _fetch(name, part, folder, work, base):
    """Fills `work` with the unpacked part; returns the lines of its contents."""
    source = apt_source.Apt(os.path.join(os.path.dirname(folder), "apt"), base, part["suites"])
    source.update()
    names = _names(source, part)
    packages = source.plan(names, part["dependencies"])
    by_name = {package.name: package for package in packages}
    _check_version(by_name[names[0]], part)

    debs = tempfile.mkdtemp(prefix=".debs-", dir=os.path.dirname(folder))
    try:
        source.download(name, packages, debs)
        lines = []
        for package in sorted(packages):
            sha256 = download.sha256_of(os.path.join(debs, package.file))
            lines.append(f"{package.name} {package.version} {sha256}")
            if package.name == names[0] and package.version == part["tested"][0] and sha256 != part["tested"][1]:
                raise FetchError(f"{package.file} has sha256 {sha256}, not the pinned {part['tested'][1]}")
        apt_source.unpack(name, [os.path.join(debs, package.file) for package in packages], work)
    finally:
        shutil.rmtree(debs, ignore_errors=True)
    return lines


def make_part(name, part, cache, bases=None):
    """Returns the folder that holds the part, made if need be; raises FetchError."""
    emulator = os.path.join(cache, "emulator")
    folder = os.path.join(emulator, name)
    key = _key(part)
    with download.lock(emulator):
        if _is_there(folder, key):
            return folder
        bases = mirror.bases() if bases is None else bases
        if not bases:
            raise MirrorError(
                f"cannot fetch {name}: apt on this machine names no mirror; set NSGX_MIRROR to the address of a Debian "
                "mirror",
                "",
            )
        refusals = []
        for base in bases:
            with explain_disk_errors(emulator):
                work = tempfile.mkdtemp(prefix=f".{name}-", dir=emulator)
            try:
                lines = _fetch(name, part, folder, work, base)
                with explain_disk_errors(emulator):
                    arrange.arrange(name, work)
                    with open(os.path.join(work, _CONTENTS), "w", encoding="utf-8") as stream:
                        stream.write("\n".join([key, *lines]) + "\n")
                    os.chmod(work, 0o755)
                    shutil.rmtree(folder, ignore_errors=True)
                    os.rename(work, folder)
                return folder
            except MirrorError as error:
                refusals.append(error)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        # The first mirror is the likeliest; what the others lack is no news.
        raise refusals[0]


def _write_stamp(path, lines, retry):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("\n".join(lines) + "\n")
    if retry:
        os.utime(path, (0, 0))


def _write_depfile(path, stamp, folder):
    with open(path, "w", encoding="utf-8") as stream:
        contents = os.path.join(folder, _CONTENTS).replace(" ", "\\ ")
        stream.write(f"{stamp}: {contents if folder else ''}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part")
    parser.add_argument("stamp")
    parser.add_argument("--cache", default="")
    parser.add_argument("--depfile", default="")
    parser.add_argument("--packages", default=os.path.join(_HERE, "packages.toml"))
    arguments = parser.parse_args()
    with open(arguments.packages, "rb") as stream:
        part = tomllib.load(stream)[arguments.part]
    folder = ""
    try:
        folder = make_part(arguments.part, part, os.path.abspath(arguments.cache or default_cache()))
        _write_stamp(arguments.stamp, ["ok", folder], retry=False)
    except FetchError as error:
        print(f"nsgx: {error}. The machine emu is left out.", file=sys.stderr)
        _write_stamp(arguments.stamp, ["unavailable", str(error)], retry=True)
    except KeyboardInterrupt:
        return 130
    if arguments.depfile:
        _write_depfile(arguments.depfile, arguments.stamp, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
