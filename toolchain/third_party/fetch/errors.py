# SPDX-License-Identifier: Apache-2.0
"""The one way in which fetching fails."""

import contextlib
import errno


class FetchError(Exception):
    """Its text is one sentence for the person who runs the build."""


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
