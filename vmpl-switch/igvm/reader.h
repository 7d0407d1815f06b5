// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "base/core/result.h"
#include "vmpl-switch/abi/igvm.h"

namespace nsgx::igvm {

enum class DirectiveKind : uint8_t {
  kNormalPage,       // address; data, empty for a page of zeros
  kUnmeasuredPage,   // address; data, or empty
  kSecretsPage,      // address
  kCpuidPage,        // address; data: what the file wants, or empty
  kParameterArea,    // index, size; data: initial contents, or empty for zeros
  kVpCount,          // index, offset
  kMemoryMap,        // index, offset
  kEnvironmentInfo,  // index, offset
  kParameterInsert,  // address, index, size of that area
  kRequiredMemory,   // address, size
  kVpContext,        // address; data: struct snp_vmsa
  kIdBlock,          // data: the content of the header
};

struct Directive {
  DirectiveKind kind;
  GuestPhys address;
  uint64_t size = 0;
  uint32_t index = 0;
  uint32_t offset = 0;
  std::span<const std::byte> data;  // of the file
};

// An IGVM file for SEV-SNP that has been checked from end to end: what File::Open accepts can be
// loaded in the order of its directives without another check, but for where RAM is.
//
// A view: the bytes must stay and must not change.
class File {
 public:
  // Checks the whole of `bytes`. Accepts what every known host accepts, no more: version 1, one
  // platform (SEV-SNP, VTL 0 or 2, no shared boundary), one guest policy, and directives of the
  // kinds above for that platform, pages of 4 KiB, each parameter area declared, filled and
  // inserted in this order and once, and behind all that is measured one VP context: index 0,
  // features with SNP, VMPL 0. Not checked: that no place is loaded twice; whoever loads keeps
  // account of pages.
  //
  // Errors: kMalformed    breaks the format.
  //         kUnsupported  a legal file, but not one that all hosts load.
  // Trust:  the bytes may be anybody's.
  static Result<File> Open(std::span<const std::byte> bytes);

  uint64_t policy() const { return policy_; }

  // for (const Directive& directive : file.directives()), in the order of the file.
  class Iterator;
  class Directives;
  Directives directives() const;

 private:
  struct Header {
    uint32_t type;
    std::span<const std::byte> content;
    size_t next;  // offset of what follows
  };

  explicit File(std::span<const std::byte> bytes) : bytes_(bytes) {}

  Result<Header> ReadHeader(size_t offset) const;
  Result<Directive> Decode(const Header& header) const;
  Result<std::span<const std::byte>> FileData(uint32_t offset, uint64_t size) const;
  Result<uint64_t> AreaSize(uint32_t index) const;
  Result<void> CheckFixedHeader();
  Result<void> CheckInitialization();
  Result<void> CheckDirectives() const;
  Result<void> CheckParameters(size_t insert_offset, const Directive& insert) const;

  std::span<const std::byte> bytes_;
  size_t headers_end_ = 0;
  size_t directives_start_ = 0;
  uint64_t policy_ = 0;
};

class File::Iterator {
 public:
  Iterator(const File& file, size_t offset) : file_(file), offset_(offset) {}

  Directive operator*() const;
  Iterator& operator++();
  bool operator!=(const Iterator& other) const { return offset_ != other.offset_; }

 private:
  const File& file_;
  size_t offset_;
};

class File::Directives {
 public:
  explicit Directives(const File& file) : file_(file) {}
  Iterator begin() const { return {file_, file_.directives_start_}; }
  Iterator end() const { return {file_, file_.headers_end_}; }

 private:
  const File& file_;
};

inline File::Directives File::directives() const { return Directives(*this); }

}  // namespace nsgx::igvm
