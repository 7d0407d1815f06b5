# SPDX-License-Identifier: Apache-2.0
"""How fetching fails."""

import contextlib
import errno


class FetchError(Exception):
    """Its text is one sentence for the person who runs the build."""


class MirrorError(FetchError):
    """No mirror delivered; another file may do. `why` is the part of the sentence that says what happened."""

    def __init__(self, message, why):
        super().__init__(message)
        self.why = why


@contextlib.contextmanager
def explain_disk_errors(folder):
    """Turns the errors of a full or unwritable disk into a FetchError that names the folder."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise FetchError(f"no space left in {folder}; free some and run again") from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise FetchError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
        raise
