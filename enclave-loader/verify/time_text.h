// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/core/result.h"

namespace nsgx::verify {

// "2026-11-21T08:15:00Z" for seconds since 1970.
std::string TimeText(int64_t seconds);

// Reads "2026-11-21" (midnight UTC), "2026-11-21T08:15:00Z" or seconds since 1970.
//
// Errors: kMalformed  none of these, or no such day.
Result<int64_t> ParseTime(std::string_view text);

}  // namespace nsgx::verify
