# SPDX-License-Identifier: Apache-2.0
"""Which Debian mirrors this machine uses, and through which proxy: both are asked of apt."""

import glob
import os
import re
import subprocess


def _apt(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _expand(uri):
    """Addresses behind one URI of a sources file; a `mirror+` URI names a list of addresses in a file."""
    if uri.startswith(("mirror+file:", "mirror:file:")):
        path = "/" + uri.split("file:", 1)[1].lstrip("/")
        try:
            with open(path, encoding="utf-8") as lines:
                return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
        except OSError:
            return []
    return [uri] if uri.startswith(("http://", "https://", "file:")) else []


def _uris_in_sources(text, one_line_style):
    if one_line_style:
        return re.findall(r"^\s*deb(?:-src)?\s+(?:\[[^\]]*\]\s*)?(\S+)\s", text, re.MULTILINE)
    return " ".join(re.findall(r"^URIs:\s*(.+)$", text, re.MULTILINE | re.IGNORECASE)).split()


def _from_sources_files(apt_folder):
    uris = []
    files = [f"{apt_folder}/sources.list"] + sorted(glob.glob(f"{apt_folder}/sources.list.d/*"))
    for path in files:
        if not path.endswith((".list", ".sources")):
            continue
        try:
            with open(path, encoding="utf-8") as stream:
                text = stream.read()
        except OSError:
            continue
        uris += _uris_in_sources(text, one_line_style=path.endswith(".list"))
    return uris


def bases(apt_folder="/etc/apt", ask_apt=True):
    """Base addresses (above pool/ and dists/), the most likely one first.

    NSGX_MIRROR, when set, replaces what apt says."""
    given = os.environ.get("NSGX_MIRROR", "")
    if given:
        return [base.rstrip("/") for base in given.split()]
    uris = []
    if ask_apt:
        # Debian's own archives first, and the security archive, which holds other files, after the main one.
        rows = _apt(["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)"]).splitlines()
        rows = [row.split("|", 1) for row in rows if "|" in row]
        rows.sort(key=lambda row: {"Debian": 0, "Debian-Security": 1}.get(row[0], 2))
        uris = [uri for _, uri in rows]
    uris += _from_sources_files(apt_folder)
    found = []
    for uri in uris:
        for base in _expand(uri):
            base = base.rstrip("/")
            if base not in found:
                found.append(base)
    return found


def proxies():
    """Proxies by scheme, as urllib wants them: those of the environment, or else those that apt is set up with."""
    found = {}
    dump = _apt(["apt-config", "dump"])
    for scheme in ("http", "https"):
        name = os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY")
        if not name:
            match = re.search(rf'^Acquire::{scheme}::Proxy "([^"]*)";', dump, re.MULTILINE | re.IGNORECASE)
            name = match.group(1) if match else ""
        if name and name.upper() != "DIRECT":
            found[scheme] = name
    return found
