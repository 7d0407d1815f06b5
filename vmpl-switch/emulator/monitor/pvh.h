// SPDX-License-Identifier: Apache-2.0
// What QEMU hands to a kernel that it starts by the PVH protocol (Xen's public headers).
#pragma once

#include <cstdint>

namespace nsgx::emu {

inline constexpr uint32_t kStartInfoMagic = 0x336ec578;

struct StartInfo {
  uint32_t magic;
  uint32_t version;
  uint32_t flags;
  uint32_t module_count;
  uint64_t modules;  // StartModule
  uint64_t command_line;
  uint64_t rsdp;
  uint64_t memory_map;  // StartMemory
  uint32_t memory_map_count;
  uint32_t reserved;
};

struct StartModule {
  uint64_t address;
  uint64_t size;
  uint64_t command_line;
  uint64_t reserved;
};

inline constexpr uint32_t kMemoryRam = 1;
struct StartMemory {
  uint64_t address;
  uint64_t size;
  uint32_t type;
  uint32_t reserved;
};

}  // namespace nsgx::emu
