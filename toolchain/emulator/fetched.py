# SPDX-License-Identifier: Apache-2.0
"""What fetch_packages.py left in a stamp, for the build steps behind it."""


class Unavailable(Exception):
    """A part of the emulated machine cannot be had; the text says why."""


def folder_of(stamp):
    """The folder of the part; raises Unavailable."""
    with open(stamp, encoding="utf-8") as stream:
        verdict, text = stream.read().splitlines()[:2]
    if verdict != "ok":
        raise Unavailable(text)
    return text
