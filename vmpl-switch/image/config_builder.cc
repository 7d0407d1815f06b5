// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/image/config_builder.h"

#include <cstring>

#include "base/core/addr.h"

namespace nsgx {

ConfigBuilder::ConfigBuilder() {
  config.magic = NSGX_CONFIG_MAGIC;
  config.version = NSGX_CONFIG_VERSION;
  config.size = sizeof(nsgx_config);
  config.address_range_size = uint64_t{64} << 20;
  config.max_vcpus = 4;
  config.product_id = 7;
  config.svn = 3;
  config.main_stack_size = uint64_t{64} << 10;
  config.host_calls[0] = 0b1011;
  config.host_calls[1] = uint64_t{1} << 63;
}

ConfigBuilder& ConfigBuilder::Add(nsgx_string_list nsgx_config::* list, const std::string& text) {
  nsgx_string_list& entry = config.*list;
  if (entry.count == 0) {
    entry.offset = config.size;
  }
  const uint32_t size = static_cast<uint32_t>(text.size() + 1);
  entry.size += size;
  ++entry.count;
  config.size += size;
  strings.append(text.c_str(), size);
  return *this;
}

std::vector<std::byte> ConfigBuilder::Build() const {
  const size_t size = sizeof(config) + strings.size();
  std::vector<std::byte> section((size + kPageMask) & ~kPageMask);
  std::memcpy(section.data(), &config, sizeof(config));
  std::memcpy(section.data() + sizeof(config), strings.data(), strings.size());
  return section;
}

}  // namespace nsgx
