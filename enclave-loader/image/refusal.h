// SPDX-License-Identifier: Apache-2.0
// Why a file is no enclave image that can run, in words for whoever gave it.
#pragma once

#include <cstdint>

#include "base/core/format.h"
#include "base/core/result.h"

namespace nsgx::loader {

enum class Cause : uint8_t {
  kNotFound,
  kNotReadable,  // value: errno
  kDirectory,
  kNotRegularFile,
  kNotElf,
  kTruncated,
  kNot64Bit,
  kBigEndian,
  kOtherMachine,  // value: e_machine
  kOtherElfVersion,
  kNotAProgram,  // value: e_type
  kNotPositionIndependent,
  kDynamic,
  kTextRelocations,
  kBadHeaders,
  kTooManySegments,  // value: how many
  kNoSegments,
  kSegmentNotReadable,  // from here on, value: address of the segment
  kSegmentWritableCode,
  kSegmentOrder,
  kSegmentOverlap,
  kSegmentHuge,
  kSegmentShrinks,
  kSegmentUnaligned,
  kSegmentAlignment,
  kBadEntry,  // value: address of the entry
  kConfigMissing,
  kConfigTwice,
  kConfigSize,       // value: size of the section
  kConfigUnaligned,  // value: address of the section
  kConfigNotReadOnly,
  kConfigEmpty,
  kConfigNewer,
  kConfigMalformed,
  kImageBeyondRange,  // value: bytes that the image needs
  kFileNotInImage,    // value: offset of the file
  kUnsigned,
  kSignatureTwice,
  kSignatureSize,
  kSignatureNewer,
  kSignatureMalformed,
  kHostCallsMalformed,
};

// One reason; the first that was found.
struct Refusal {
  Cause cause;
  uint64_t value = 0;
};

// What is wrong with the file: "the segment at 0x3000 is writable and executable".
void AppendCause(TextBuffer& out, const Refusal& refusal);
// What to do about it: "link it with -z separate-code".
void AppendRemedy(TextBuffer& out, const Refusal& refusal);
// Both, as in a line on standard error.
void AppendText(TextBuffer& out, const Refusal& refusal);

inline Error<Refusal> Refuse(Cause cause, uint64_t value = 0) {
  return Error(Refusal{cause, value});
}

}  // namespace nsgx::loader
