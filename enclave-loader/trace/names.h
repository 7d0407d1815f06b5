// SPDX-License-Identifier: Apache-2.0
// Names of Linux's constants, for traces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "syscall-shim/table/syscall_arguments.h"

namespace nsgx::loader {

// "ENOENT"; empty when there is none.
std::string_view ErrnoName(int64_t number);
std::string_view SignalName(int64_t number);

// Adds the value of an argument by the names of its parts: "O_RDONLY|O_CLOEXEC|0x40". False when
// values of that kind have no names.
bool AppendNamed(std::string& text, shim::ArgumentKind kind, uint64_t value);

// "0x1f", "0644".
void AppendHex(std::string& text, uint64_t value);
void AppendOctal(std::string& text, uint64_t value);

}  // namespace nsgx::loader
