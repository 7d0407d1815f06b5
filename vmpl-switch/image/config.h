// SPDX-License-Identifier: Apache-2.0
// The launch configuration of an image (abi/image.h), read and checked in one place for SEH, loader
// and signer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>

#include "base/core/result.h"
#include "vmpl-switch/abi/image.h"

namespace nsgx {

// The strings of one list, in order, without their NULs. A view of the section; made by ConfigView
// only, which has checked that there are exactly `count` of them.
class ConfigStrings {
 public:
  class Iterator {
   public:
    using value_type = std::string_view;
    using difference_type = ptrdiff_t;

    constexpr Iterator() = default;
    constexpr explicit Iterator(const char* text) : text_(text) {}

    constexpr std::string_view operator*() const { return {text_, Size()}; }
    constexpr Iterator& operator++() {
      text_ += Size() + 1;
      return *this;
    }
    constexpr Iterator operator++(int) {
      Iterator old = *this;
      ++*this;
      return old;
    }
    friend constexpr bool operator==(Iterator, Iterator) = default;

   private:
    // Not strlen: the SEH has none. Ends, because every string of a checked list has its NUL.
    constexpr size_t Size() const {
      size_t size = 0;
      while (text_[size] != '\0') {
        ++size;
      }
      return size;
    }

    const char* text_ = nullptr;
  };

  constexpr uint32_t count() const { return count_; }
  constexpr bool is_empty() const { return count_ == 0; }
  // Each string has its NUL.
  constexpr Iterator begin() const { return Iterator(text_.data()); }
  constexpr Iterator end() const { return Iterator(text_.data() + text_.size()); }

 private:
  friend class ConfigView;
  constexpr ConfigStrings(std::string_view text, uint32_t count) : text_(text), count_(count) {}

  std::string_view text_;
  uint32_t count_;
};

// Returns whether the image may make host call `number`, which may be anything.
constexpr bool HostCallAllowed(const nsgx_config& config, uint64_t number) {
  return number < NSGX_HOST_CALL_LIMIT &&
         (config.host_calls[number / 64] >> (number % 64) & 1) != 0;
}

// A configuration that has passed every check of its format. Holds a copy of the struct and a view
// of the section, whose bytes must stay and not change for as long as the strings are used.
class ConfigView {
 public:
  // Each value is inside the limits that abi/image.h names.
  uint64_t address_range_size() const { return config_.address_range_size; }
  uint64_t attributes() const { return config_.attributes; }
  bool is_debug() const { return (config_.attributes & NSGX_ATTRIBUTE_DEBUG) != 0; }
  uint32_t max_vcpus() const { return config_.max_vcpus; }
  uint16_t product_id() const { return config_.product_id; }
  uint16_t svn() const { return config_.svn; }
  uint64_t main_stack_size() const { return config_.main_stack_size; }

  // No string is empty, but those of args_fixed() may be.
  ConfigStrings env_allow() const {
    return Strings(config_.env_allow);
  }  // NAME or PREFIX*, the star at the end only
  ConfigStrings env_fixed() const {
    return Strings(config_.env_fixed);
  }  // NAME=value, NAME not empty
  ConfigStrings args_fixed() const { return Strings(config_.args_fixed); }
  ConfigStrings mounts() const { return Strings(config_.mounts); }  // ParseMountRule reads each
  ConfigStrings files() const { return Strings(config_.files); }    // ParseEmbeddedFile reads each

  const nsgx_config& config() const { return config_; }
  std::span<const std::byte> section() const { return section_; }

 private:
  friend Result<ConfigView> ParseConfig(std::span<const std::byte> section);
  ConfigView(const nsgx_config& config, std::span<const std::byte> section)
      : config_(config), section_(section) {}

  ConfigStrings Strings(const nsgx_string_list& list) const;

  nsgx_config config_;
  std::span<const std::byte> section_;
};

// Whether the configuration sets the variable `name` itself, and whether it lets it in from
// outside.
bool FixesVariable(const ConfigView& config, std::string_view name);
bool AllowsVariable(const ConfigView& config, std::string_view name);

// By these variables nsgx-run asks the library OS of a debug enclave, which has no secrets from who
// runs it, to tell of system calls, to write a core file when a signal ends the program, and to
// tell at the end what it counted. The program does not see them.
inline constexpr std::string_view kTraceVariable = "NSGX_TRACE=1";
inline constexpr std::string_view kCoreVariable = "NSGX_CORE=1";
inline constexpr std::string_view kCountsVariable = "NSGX_COUNTS=1";
constexpr bool IsForLibraryOs(std::string_view variable) {
  return variable == kTraceVariable || variable == kCoreVariable || variable == kCountsVariable;
}

// Checks everything about the struct that can be checked without the lists behind it. For whoever
// needs the numbers before there is a place for the section.
//
// Errors: kUnsupported  the version is newer than this build.
//         kMalformed    anything else is wrong.
// Trust:  `config` is a private copy; its values are chosen by the untrusted side.
Result<void> CheckConfigStruct(const nsgx_config& config, uint64_t section_size);

// Checks all of `section` and returns a view of it.
//
// Requires: nobody else can change the section (copy it first).
// Errors:   as CheckConfigStruct.
Result<ConfigView> ParseConfig(std::span<const std::byte> section);

}  // namespace nsgx
