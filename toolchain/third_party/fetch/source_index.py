# SPDX-License-Identifier: Apache-2.0
"""Looks up in a mirror's Sources index which revision of a source package a Debian suite holds."""

import lzma
import re
import urllib.error
import urllib.request

from . import mirror


def debian_archives(package, suites, bases=None):
    """[(path below pool/main/, sha256)] of the package's .debian.tar.xz in each suite that a mirror can tell about.

    The index is not checked against Debian's signature: the caller accepts pinned bytes only."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(mirror.proxies()))
    found = []
    for base in mirror.bases() if bases is None else bases:
        for suite in suites:
            try:
                with opener.open(f"{base}/dists/{suite}/main/source/Sources.xz", timeout=60) as reply:
                    index = lzma.decompress(reply.read()).decode(errors="replace")
            except (OSError, lzma.LZMAError, urllib.error.URLError):
                continue
            for entry in index.split("\n\n"):
                if not re.search(rf"^Package: {re.escape(package)}$", entry, re.MULTILINE):
                    continue
                folder = re.search(r"^Directory: pool/main/(\S+)$", entry, re.MULTILINE)
                file = re.search(r"^ ([0-9a-f]{64}) \d+ (\S+\.debian\.tar\.xz)$", entry, re.MULTILINE)
                if folder and file and (f"{folder[1]}/{file[2]}", file[1]) not in found:
                    found.append((f"{folder[1]}/{file[2]}", file[1]))
    return found
