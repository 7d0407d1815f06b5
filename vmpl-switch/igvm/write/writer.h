// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/core/addr.h"
#include "base/core/result.h"
#include "vmpl-switch/abi/igvm.h"
#include "vmpl-switch/abi/snp.h"

namespace nsgx::igvm {

// What goes into a file, in any order: WriteFile puts it into the one order in which every known
// host loads and measures alike.
struct FileContents {
  struct Page {
    GuestPhys address;
    uint16_t type = IGVM_DATA_NORMAL;
    bool measured = true;
    std::vector<std::byte> bytes = {};  // a page, or nothing: zeros
  };
  // A page into which the host writes before the guest starts. Offsets: where in it what goes.
  struct ParameterPage {
    GuestPhys address;
    std::optional<uint32_t> vp_count = {};
    std::optional<uint32_t> environment_info = {};
    std::optional<uint32_t> memory_map = {};
  };
  // Memory that belongs to the guest from the start, not validated.
  struct Memory {
    GuestPhys address;
    uint32_t size;
  };

  uint64_t policy = 0;
  std::vector<Memory> required_memory = {};
  std::vector<ParameterPage> parameter_pages = {};
  std::vector<Page> pages = {};
  snp_vmsa vmsa = {};
};

// Where KVM, and so every host that is built on it, measures the VMSA.
inline constexpr GuestPhys kVmsaAddress{0xfffffffff000};

// Returns the file: version 1, platform SEV-SNP. The same contents give the same bytes.
//
// Errors: kInvalidArgument  an address is not that of a page, a size is not whole pages, a page's
//                           bytes are not a page.
//         kMalformed        two pages have one address.
Result<std::vector<std::byte>> WriteFile(const FileContents& contents);

}  // namespace nsgx::igvm
