# SPDX-License-Identifier: Apache-2.0
"""Fetching of pinned third-party sources."""
