// SPDX-License-Identifier: Apache-2.0
// What the portable SEH asks of the machine that it runs on: `sim` answers with mmap and protection
// keys, `snp` and `emu` with page tables, PVALIDATE and guest messages, the host tests with an
// array.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "base/core/result.h"
#include "base/crypto/sha256.h"
#include "vmpl-switch/abi/gate.h"

namespace nsgx::seh {

// Bits as in vmpl-switch/abi/image.h (NSGX_PERMISSION_*). None is a legal value: no access.
enum class Permissions : uint32_t { kNone = 0, kRead = 1, kReadWrite = 3, kReadExecute = 5 };

// Where the contents of a page run come from. `bytes` is always set and is what gets measured; a
// machine that can map the file instead of copying does so when `fd` is not negative (the bytes
// then are a mapping of that file at `file_offset`).
struct PageSource {
  std::span<const std::byte> bytes;  // a multiple of the page size
  int fd = -1;
  uint64_t file_offset = 0;
};

// One machine, one user: the SEH. Ranges are page-aligned and inside a reserved range: the SEH has
// checked that; a machine treats anything else as our own bug. Nothing changes when a call fails.
// Calls may come from several threads at once, but never two for the same pages: the SEH marks
// pages as busy before it calls.
class Machine {
 public:
  virtual uint32_t kind() const = 0;  // NSGX_MACHINE_*
  virtual uint32_t xsave_size() const = 0;
  virtual uint64_t xcr0() const = 0;
  virtual uint64_t tsc_khz() const = 0;  // 0: not known yet

  // Reserves an address range for one enclave, at a multiple of 2 MiB; nothing in it is accessible
  // to anybody. kNoMemory: the machine has no such range.
  virtual Result<EnclaveVirt> ReserveRange(uint64_t size) = 0;
  // Scrubs whatever was committed and gives the range up.
  virtual void ReleaseRange(EnclaveVirt base, uint64_t size) = 0;

  // Puts measured contents in place; `source.bytes` is copied or mapped privately, never shared
  // with anybody else. The contents are what the SEH hashes afterwards through Access().
  virtual Result<void> Load(EnclaveVirt start, const PageSource& source,
                            Permissions permissions) = 0;
  // Makes pages that were not committed usable: zero at first touch.
  virtual Result<void> Commit(EnclaveVirt start, uint64_t size, Permissions permissions) = 0;
  // Changes the enclave's rights on committed pages.
  virtual Result<void> Protect(EnclaveVirt start, uint64_t size, Permissions permissions) = 0;
  // Scrubs committed pages and takes them away.
  virtual void Trim(EnclaveVirt start, uint64_t size) = 0;

  // The SEH's own view of committed enclave memory, valid until the pages change. The SEH reads
  // whatever the enclave's rights are, also kNone; it writes only to pages that are kReadWrite for
  // the enclave at that time.
  virtual std::span<std::byte> Access(EnclaveVirt start, uint64_t size) = 0;

  // Fills `digests` with the SHA-256 of each page: no effect but that, so a machine with idle
  // processors may share the work.
  virtual void HashPages(std::span<const std::byte> pages, std::span<Sha256::Digest> digests) {
    Sha256HashPages(pages, digests);
  }

  // Memory for the SEH's own tables, zeroed, page-aligned; out of reach of enclaves and guest.
  virtual Result<std::byte*> AllocateTablePage() = 0;
  virtual void FreeTablePage(std::byte* page) = 0;

  // Fresh random bytes from a source that the guest cannot choose. kEntropyFailure: health check
  // failed.
  virtual Result<void> Random(std::span<std::byte> out) = 0;
  // How the enclave computes the time from the TSC (abi/gate.h). kUnsupported: it cannot.
  virtual Result<nsgx_clock> Clock() = 0;

  // The 32-byte root from which sealing keys are derived; the same after a restart on the same
  // machine.
  virtual Result<void> RootKey(std::span<std::byte, 32> out) = 0;
  // An SNP-format attestation report (1184 bytes) made at VMPL0 over `report_data`.
  virtual Result<void> HardwareReport(std::span<const std::byte, 64> report_data,
                                      std::span<std::byte, 1184> out) = 0;

 protected:
  ~Machine() = default;
};

}  // namespace nsgx::seh
