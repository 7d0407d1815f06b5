// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/image/config.h"

#include "base/core/addr.h"
#include "base/core/align.h"
#include "vmpl-switch/image/mount_rule.h"

namespace nsgx {
namespace {

Result<void> Require(bool condition) {
  if (!condition) {
    return Error(Status::kMalformed);
  }
  return {};
}

bool IsZero(std::span<const std::byte> bytes) {
  for (std::byte byte : bytes) {
    if (byte != std::byte{0}) {
      return false;
    }
  }
  return true;
}

// The lists, in the order in which their strings lie in the section.
struct Lists {
  explicit Lists(const nsgx_config& config)
      : items{&config.env_allow, &config.env_fixed, &config.args_fixed, &config.mounts,
              &config.files} {}

  const nsgx_string_list* items[5];
};

Result<void> CheckLists(const nsgx_config& config) {
  uint64_t next = sizeof(nsgx_config);
  for (const nsgx_string_list* list : Lists(config).items) {
    TRY(Require(list->reserved == 0));
    if (list->count == 0) {
      TRY(Require(list->offset == 0 && list->size == 0));
      continue;
    }
    // 32-bit values in 64-bit sums: nothing wraps.
    TRY(Require(list->offset == next));
    next += list->size;
    TRY(Require(next <= config.size));
  }
  return Require(next == config.size);
}

bool IsEnvAllow(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '=' || (text[i] == '*' && i + 1 != text.size())) {
      return false;
    }
  }
  return !text.empty();
}

bool IsEnvFixed(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '=') {
      return i != 0;
    }
  }
  return false;
}

bool IsAnything(std::string_view) { return true; }

bool IsMount(std::string_view text) { return ParseMountRule(text).ok(); }

bool IsFile(std::string_view text) { return ParseEmbeddedFile(text).ok(); }

// Walks the strings of `list`, which lies inside `section`; bounded by its size, whatever it holds.
Result<void> CheckStrings(std::span<const std::byte> section, const nsgx_string_list& list,
                          bool (*is_valid)(std::string_view)) {
  const std::span<const std::byte> bytes = section.subspan(list.offset, list.size);
  uint32_t count = 0;
  size_t start = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == std::byte{0}) {
      const char* text = reinterpret_cast<const char*>(bytes.data() + start);
      TRY(Require(is_valid(std::string_view(text, i - start))));
      start = i + 1;
      ++count;
    }
  }
  // The last string has its NUL, and there are as many as promised.
  return Require(start == bytes.size() && count == list.count);
}

}  // namespace

ConfigStrings ConfigView::Strings(const nsgx_string_list& list) const {
  const std::span<const std::byte> bytes = section_.subspan(list.offset, list.size);
  return ConfigStrings(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                       list.count);
}

bool FixesVariable(const ConfigView& config, std::string_view name) {
  for (const std::string_view fixed : config.env_fixed()) {
    if (fixed.size() > name.size() && fixed.starts_with(name) && fixed[name.size()] == '=') {
      return true;
    }
  }
  return false;
}

bool AllowsVariable(const ConfigView& config, std::string_view name) {
  if ((config.attributes() & NSGX_ATTRIBUTE_ANY_ENV) != 0) {
    return true;
  }
  for (const std::string_view rule : config.env_allow()) {
    if (rule.ends_with('*') ? name.starts_with(rule.substr(0, rule.size() - 1)) : name == rule) {
      return true;
    }
  }
  return false;
}

Result<void> CheckConfigStruct(const nsgx_config& config, uint64_t section_size) {
  TRY(Require(config.magic == NSGX_CONFIG_MAGIC));
  if (config.version > NSGX_CONFIG_VERSION) {
    return Error(Status::kUnsupported);
  }
  TRY(Require(config.version == NSGX_CONFIG_VERSION));
  TRY(Require(section_size != 0 && section_size <= NSGX_CONFIG_MAX_SIZE &&
              IsAligned(section_size, kPageSize)));
  TRY(Require(config.size <= section_size));
  TRY(Require(config.address_range_size >= NSGX_MIN_ADDRESS_RANGE &&
              config.address_range_size <= NSGX_MAX_ADDRESS_RANGE &&
              IsAligned(config.address_range_size, kLargePageSize)));
  TRY(Require((config.attributes & ~NSGX_ATTRIBUTE_ALL) == 0));
  TRY(Require(config.max_vcpus >= 1 && config.max_vcpus <= NSGX_MAX_VCPUS));
  TRY(Require(config.main_stack_size != 0 && config.main_stack_size < config.address_range_size &&
              IsAligned(config.main_stack_size, kPageSize)));
  TRY(Require(IsZero(std::as_bytes(std::span(config.reserved)))));
  return CheckLists(config);
}

Result<ConfigView> ParseConfig(std::span<const std::byte> section) {
  TRY(Require(section.size() >= sizeof(nsgx_config)));
  nsgx_config config;
  __builtin_memcpy(&config, section.data(), sizeof(config));
  TRY(CheckConfigStruct(config, section.size()));
  TRY(Require(IsZero(section.subspan(config.size))));
  TRY(CheckStrings(section, config.env_allow, IsEnvAllow));
  TRY(CheckStrings(section, config.env_fixed, IsEnvFixed));
  TRY(CheckStrings(section, config.args_fixed, IsAnything));
  TRY(CheckStrings(section, config.mounts, IsMount));
  TRY(CheckStrings(section, config.files, IsFile));
  return ConfigView(config, section);
}

}  // namespace nsgx
