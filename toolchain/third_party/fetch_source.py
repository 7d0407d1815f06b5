#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a pinned third-party source tree (see sources.toml) in a build folder.

fetch_source.py NAME OUT [--cache FOLDER]

Fetched archives and the unpacked, patched form of each are kept in the cache; with a filled cache no network is used.
"""

import argparse
import hashlib
import json
import os
import sys
import tarfile
import tomllib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from fetch import download, source_index, unpack  # noqa: E402
from fetch.errors import FetchError, MirrorError  # noqa: E402


def default_cache():
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "nsgx")


def _fetch_archive(source, cache, bases):
    """The archive, or its front where that is enough and the mirror gives parts of files."""
    whole = os.path.join(cache, os.path.basename(source["file"]))
    if "prefix_bytes" in source and not os.path.exists(whole):
        try:
            return download.download(cache, source["file"], source["prefix_sha256"], source["prefix_bytes"], bases)
        except MirrorError as error:
            print(f"the front of {os.path.basename(whole)} cannot be fetched ({error.why}); fetching all", file=sys.stderr)
    return download.download(cache, source["file"], source["sha256"], bases=bases)


def _fetch_patches(pinned, cache, bases):
    """The pinned patches, from the pinned revision of the package or from any other one that holds them."""
    def patches_in(file, sha256):
        archive = download.download(cache, file, sha256, bases=bases)
        return unpack.find_patches(archive, pinned["folder"], pinned["apply"])

    try:
        return patches_in(pinned["file"], pinned["sha256"])
    except MirrorError as error:
        why = error.why
    package = pinned["source_package"]
    for file, sha256 in source_index.debian_archives(package, pinned["suites"], bases):
        try:
            return patches_in(file, sha256)
        except FetchError:
            continue
    raise FetchError(
        f"cannot get the security patches of {package}: {why}, and no other revision of the package there holds them; "
        f"put {os.path.basename(pinned['file'])} (sha256 {pinned['sha256']}) into {cache}"
    )


def source_files(name, source, cache, bases=None):
    """The source's files as {path: bytes}; raises FetchError."""
    key = hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()[:16]
    packed = os.path.join(cache, f"{name}-{key}.tar")
    with download.lock(cache):
        if os.path.exists(packed):
            try:
                return unpack.unpack(packed)
            except tarfile.TarError:
                print(f"{packed} is damaged; making it again", file=sys.stderr)
        files = unpack.read_members(_fetch_archive(source, cache, bases), source.get("members"))
        if "patches" in source:
            for patch_name, text in _fetch_patches(source["patches"], cache, bases):
                unpack.apply_patch(files, patch_name, text)
        with download.new_file(packed) as stream:
            unpack.pack(files, stream)
        return files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("out")
    parser.add_argument("--cache", default="")
    parser.add_argument("--sources", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "sources.toml"))
    arguments = parser.parse_args()
    with open(arguments.sources, "rb") as stream:
        source = tomllib.load(stream)[arguments.name]
    try:
        files = source_files(arguments.name, source, arguments.cache or default_cache())
        unpack.write_tree(files, arguments.out)
    except FetchError as error:
        print(f"nsgx: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
