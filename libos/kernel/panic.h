// SPDX-License-Identifier: Apache-2.0
// The end of the enclave for a reason of its own, with one line for the operator. Also the library
// OS's side of CHECK and LOG.
#pragma once

#include <cstdint>

#include "base/core/format.h"
#include "vmpl-switch/abi/slot.h"

namespace nsgx::libos {

// Where the image lies, so that reports can name instructions by their offset in it.
struct AddressRange {
  uint64_t base;
  uint64_t size;
};
void SetImageRange(AddressRange range);
AddressRange ImageRange();

// Of an instruction, as reports have it: by its offset, if it is the image's.
struct CodeAddress {
  uint64_t address;
};
void AppendText(TextBuffer& out, const CodeAddress& code);

// The library OS found itself broken. `what` is a literal.
[[noreturn]] void PanicAtFrame(const char* what, const nsgx_frame& frame, uint64_t cause);
[[noreturn]] void Panic(const char* what);

}  // namespace nsgx::libos
