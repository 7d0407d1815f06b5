# SPDX-License-Identifier: Apache-2.0
"""Brings one file into the cache. A file in the cache is whole and has the right hash, or it is not there."""

import contextlib
import fcntl
import hashlib
import http.client
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request

from . import mirror
from .errors import MirrorError, explain_disk_errors

_BLOCK = 1 << 18
_QUIET_SECONDS = 2.0
_STALL_SECONDS = 60


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def lock(folder):
    """One process at a time fills the cache. The lock goes when its holder ends, however it ends."""
    with explain_disk_errors(folder):
        os.makedirs(folder, exist_ok=True)
        stream = open(os.path.join(folder, ".lock"), "w", encoding="utf-8")
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def new_file(path):
    """A stream whose contents appear at `path` when the block ends well, and nowhere otherwise."""
    folder = os.path.dirname(path)
    with explain_disk_errors(folder):
        descriptor, part = tempfile.mkstemp(prefix=".part-", dir=folder)
    try:
        with explain_disk_errors(folder):
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
            os.chmod(part, 0o644)
            os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


class _Progress:
    """Tells about a download that takes longer than a moment, a line every two seconds."""

    def __init__(self, name, total):
        self._name, self._total = name, total
        self._next = time.monotonic() + _QUIET_SECONDS
        self._shown = False

    def update(self, done):
        if time.monotonic() >= self._next:
            self._next += _QUIET_SECONDS
            self._shown = True
            self._print(done)

    def finish(self, done):
        if self._shown:
            self._print(done)

    def _print(self, done):
        of = f" of {self._total / 1e6:.1f}" if self._total else ""
        print(f"fetching {self._name}: {done / 1e6:.1f}{of} MB", flush=True)


class _Refused(Exception):
    """One mirror did not deliver; the text says why, without the file's name."""


def _stream_to(path, url, name, sha256, prefix_bytes, opener):
    """Writes what `url` gives to `path` if its hash is right. With prefix_bytes only that many first bytes are asked for."""
    headers = {"Range": f"bytes=0-{prefix_bytes - 1}"} if prefix_bytes else {}
    with new_file(path) as out:
        try:
            request = urllib.request.Request(url, headers=headers)
            with opener.open(request, timeout=_STALL_SECONDS) as reply:
                length = int(reply.headers.get("Content-Length") or 0)
                expected = min(length, prefix_bytes) if prefix_bytes else length
                progress = _Progress(name, expected)
                digest, done = hashlib.sha256(), 0
                while not prefix_bytes or done < prefix_bytes:
                    want = min(_BLOCK, prefix_bytes - done) if prefix_bytes else _BLOCK
                    block = reply.read(want)
                    if not block:
                        break
                    with explain_disk_errors(os.path.dirname(path)):
                        out.write(block)
                    digest.update(block)
                    done += len(block)
                    progress.update(done)
                progress.finish(done)
        except urllib.error.HTTPError as error:
            raise _Refused(f"answers {error.code}") from None
        except urllib.error.URLError as error:
            raise _Refused(f"cannot be reached ({error.reason})") from None
        except ValueError:
            raise _Refused("is no address") from None
        except (http.client.HTTPException, OSError) as error:
            raise _Refused(f"broke off ({error or type(error).__name__})") from None
        if expected and done < expected:
            raise _Refused(f"broke off after {done} of {expected} bytes")
        if digest.hexdigest() != sha256:
            raise _Refused(f"sends other bytes (sha256 {digest.hexdigest()}, pinned {sha256})")


def download(cache, file, sha256, prefix_bytes=0, bases=None):
    """Returns the path of pool file `file` in the cache, fetched if need be.

    Raises MirrorError if no mirror delivers it, and FetchError if it cannot be kept. Requires the lock.
    Trusts no mirror: only bytes with the pinned hash are kept."""
    name = os.path.basename(file) + (f".first-{prefix_bytes}" if prefix_bytes else "")
    path = os.path.join(cache, name)
    if os.path.exists(path):
        if sha256_of(path) == sha256:
            return path
        print(f"{path} is damaged; fetching it again", file=sys.stderr)
        os.unlink(path)
    bases = mirror.bases() if bases is None else bases
    by_hand = f"put the file (sha256 {sha256}) into {cache}"
    if not bases:
        why = "apt on this machine names no mirror"
        raise MirrorError(
            f"cannot fetch {name}: {why}; set NSGX_MIRROR to the address of a Debian mirror, or {by_hand}", why
        )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(mirror.proxies()))
    reasons = []
    for base in bases:
        try:
            _stream_to(path, f"{base}/pool/main/{file}", name, sha256, prefix_bytes, opener)
            return path
        except _Refused as refusal:
            reasons.append(f"{base} {refusal}")
    why = "; ".join(reasons)
    raise MirrorError(f"cannot fetch {name}: {why}; try again, or {by_hand}", why)
