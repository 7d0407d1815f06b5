# SPDX-License-Identifier: Apache-2.0
"""Asks apt for packages without changing the machine: its state, its lists and what counts as installed (nothing) are
private to a folder. Mirror, proxy and keys are the machine's own. Needs no root."""

import os
import re
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

from fetch.errors import FetchError, MirrorError, explain_disk_errors

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_QUIET_SECONDS = 2.0


class Package(NamedTuple):
    name: str
    version: str
    file: str
    size: int


def source_options():
    """Whose signature of an index counts: the archive's if its keys are where Debian puts them, else what apt trusts."""
    return "arch=amd64" + (f" signed-by={_KEYRING}" if os.path.exists(_KEYRING) else "")


def _complaints(text):
    """apt's errors, or at least its warnings, as a part of a sentence."""
    lines = [line[2:].strip() for line in text.splitlines() if line.startswith("E:")]
    lines = lines or [line[2:].strip() for line in text.splitlines() if line.startswith("W:")]
    return "; ".join(lines[:3]) or "apt says nothing about it"


class Apt:
    """One mirror's suites. `folder` is apt's own; it may be deleted at any time."""

    def __init__(self, folder, base, suites):
        for tool in ("apt-get", "apt-cache", "dpkg", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise FetchError(f"the program {tool} is missing, and with it the way to Debian's packages")
        self._folder, self._base, self._suites = folder, base, suites
        with explain_disk_errors(folder):
            for name in ("state/lists/partial", "cache/archives/partial", "parts"):
                os.makedirs(os.path.join(folder, name), exist_ok=True)
            self._write("status", "")
            self._write(
                "sources.list", "".join(f"deb [{source_options()}] {base} {suite} main\n" for suite in suites)
            )
            self._write("apt.conf", self._configuration())
        self._environment = os.environ | {"APT_CONFIG": os.path.join(folder, "apt.conf"), "LC_ALL": "C.UTF-8"}

    def _write(self, name, text):
        with open(os.path.join(self._folder, name), "w", encoding="utf-8") as stream:
            stream.write(text)

    def _configuration(self):
        folder = self._folder
        return f"""\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Architecture "amd64";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "{folder}/parts";
Dir::Etc::preferences "{folder}/parts/none";
Dir::Etc::preferencesparts "{folder}/parts";
"""

    def _run(self, *command, cwd=None):
        done = subprocess.run(
            command, env=self._environment, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode != 0:
            why = _complaints(done.stderr)
            raise MirrorError(f"{self._base} does not give {', '.join(self._suites)}: {why}", why)
        return done.stdout

    def update(self):
        self._run("apt-get", "-q", "update")

    def newest(self, pattern):
        """(name, version) of the package whose name matches the regular expression as a whole and holds the highest
        version in its group; ("", "") for none."""
        names = self._run("apt-cache", "pkgnames", re.match(r"[a-z0-9-]*", pattern)[0]).split()
        best = ("", "")
        for name in names:
            match = re.fullmatch(pattern, name)
            if match and (not best[1] or is_older(best[1], match[1])):
                best = (name, match[1])
        return best

    def plan(self, names, dependencies):
        """What has to be fetched: [Package], in no order that matters."""
        mode = ["install", "-y", "-t", self._suites[-1]] if dependencies else ["download"]
        found = []
        for line in self._run("apt-get", "-q", *mode, "--print-uris", *names).splitlines():
            if match := re.match(r"'[^']*' (([^_ ]+)_([^_ ]+)_[^_ ]+\.deb) (\d+) ", line):
                found.append(Package(match[2], match[3].replace("%3a", ":"), match[1], int(match[4])))
        return found

    def download(self, what, packages, folder):
        """Puts the packages' files into `folder`. apt checks them against the signed index."""
        total = sum(package.size for package in packages)
        wanted = [f"{package.name}={package.version}" for package in packages]
        process = subprocess.Popen(
            ["apt-get", "-q", "download", *wanted],
            env=self._environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            while True:
                try:
                    _, said = process.communicate(timeout=_QUIET_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    print(f"fetching {what}: {_bytes_in(folder) / 1e6:.1f} of {total / 1e6:.1f} MB", flush=True)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if process.returncode != 0:
            why = _complaints(said)
            raise MirrorError(f"cannot fetch {what}: {why}; try again", why)


def _bytes_in(folder):
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.stat(os.path.join(parent, name)).st_size
            except OSError:
                pass  # moved to its place just now
    return size


def is_older(version, other):
    """Whether `version` is before `other` as Debian orders versions."""
    return subprocess.run(["dpkg", "--compare-versions", version, "lt", other]).returncode == 0


def unpack(what, files, folder):
    """Unpacks .deb files into `folder`; none of their programs runs."""
    begun = time.monotonic()
    for count, file in enumerate(files):
        if time.monotonic() > begun + _QUIET_SECONDS:
            begun = time.monotonic()
            print(f"unpacking {what}: {count} of {len(files)} packages", flush=True)
        done = subprocess.run(["dpkg-deb", "-x", file, folder], capture_output=True, text=True)
        if done.returncode != 0:
            print(done.stderr.strip(), file=sys.stderr)
            raise FetchError(f"{file} cannot be unpacked into {folder}; free some space, remove it and run again")
