// SPDX-License-Identifier: Apache-2.0
// The functions of <nsgx/attest.h>: from the program into the library OS, and its results back as
// numbers.
#include "libos/attest/calls.h"
#include "libos/attest/include/nsgx/attest.h"
#include "libos/kernel/entry.h"

namespace nsgx::libos {

namespace {

int64_t ToNumber(const SysResult& result) {
  return result.ok() ? result.value() : -static_cast<int64_t>(result.error());
}

uint64_t AddressOf(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

int Enter(EntryHandler handler, uint64_t a1, uint64_t a2 = 0, uint64_t a3 = 0, uint64_t a4 = 0) {
  return static_cast<int>(libos_enter(handler, a1, a2, a3, a4, 0, 0));
}

int64_t HandleEvidence(uint64_t, uint64_t report_data, uint64_t out, uint64_t capacity,
                       uint64_t size, uint64_t, uint64_t) {
  return ToNumber(SysAttestEvidence(UserIn<ReportData>(report_data), UserOut<std::byte>(out),
                                    capacity, UserOut<uint64_t>(size)));
}

int64_t HandleReport(uint64_t, uint64_t target, uint64_t report_data, uint64_t report, uint64_t,
                     uint64_t, uint64_t) {
  return ToNumber(SysAttestReport(UserIn<Bytes32>(target), UserIn<ReportData>(report_data),
                                  UserOut<nsgx_report>(report)));
}

int64_t HandleVerify(uint64_t, uint64_t report, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t) {
  return ToNumber(SysAttestVerify(UserIn<nsgx_report>(report)));
}

int64_t HandleKey(uint64_t, uint64_t policy, uint64_t svn, uint64_t key_id, uint64_t key, uint64_t,
                  uint64_t) {
  return ToNumber(SysAttestKey(static_cast<uint32_t>(policy), static_cast<uint16_t>(svn),
                               UserIn<Bytes32>(key_id), UserOut<Bytes32>(key)));
}

}  // namespace

extern "C" {

int nsgx_attest_evidence(const uint8_t report_data[64], void* out, size_t capacity, size_t* size) {
  return Enter(HandleEvidence, AddressOf(report_data), AddressOf(out), capacity, AddressOf(size));
}

int nsgx_attest_report(const uint8_t target[32], const uint8_t report_data[64],
                       nsgx_report* report) {
  return Enter(HandleReport, AddressOf(target), AddressOf(report_data), AddressOf(report));
}

int nsgx_attest_verify(const nsgx_report* report) { return Enter(HandleVerify, AddressOf(report)); }

int nsgx_attest_key(uint32_t policy, uint16_t svn, const uint8_t key_id[32], uint8_t key[32]) {
  return Enter(HandleKey, policy, svn, AddressOf(key_id), AddressOf(key));
}

}  // extern "C"

}  // namespace nsgx::libos
