# SPDX-License-Identifier: Apache-2.0
"""A running lighttpd that lets clients put files."""

import contextlib

import twins

_CONFIGURATION = """
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
server.upload-dirs = ("{folder}")
server.modules = ("mod_webdav")
server.max-keep-alive-requests = 65535
webdav.activate = "enable"
"""


@contextlib.contextmanager
def serve(side, folder, options=()):
    """Gives (process, port). Files are in `folder` natively, and in the memory of the enclave."""
    port = twins.free_port()
    configuration = _CONFIGURATION.format(folder=folder if side == "native" else "/tmp", port=port).encode()
    with twins.server("lighttpd/lighttpd", side, port, "-D", "-f", "-", stdin=configuration, options=options) as process:
        yield process, port
