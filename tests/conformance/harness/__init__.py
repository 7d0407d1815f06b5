# SPDX-License-Identifier: Apache-2.0
"""Runs suites of others in enclaves, beside their native twins."""
