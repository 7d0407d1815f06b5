// SPDX-License-Identifier: Apache-2.0
// The native twin of an enclave has nobody who could vouch for it.
#include <cerrno>

#include "libos/attest/include/nsgx/attest.h"

extern "C" {

int nsgx_attest_evidence(const uint8_t[64], void*, size_t, size_t*) { return -ENODEV; }

int nsgx_attest_report(const uint8_t[32], const uint8_t[64], struct nsgx_report*) {
  return -ENODEV;
}

int nsgx_attest_verify(const struct nsgx_report*) { return -ENODEV; }

int nsgx_attest_key(uint32_t, uint16_t, const uint8_t[32], uint8_t[32]) { return -ENODEV; }

}  // extern "C"
