// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/core/result.h"

namespace nsgx::firmware {

// The certificates that a host hands out with a report (GHCB_EXIT_EXTENDED_GUEST_REQUEST): AMD's
// table of GUIDs, then VCEK, ASK and ARK of the fake chip in DER.
//
//   const uint64_t wanted = CertificateTablePages();
//   if (rbx < wanted) {  // the message is not looked at
//     rbx = wanted;
//     info_2 = uint64_t{GHCB_REQUEST_TOO_SMALL} << 32;
//   } else {
//     WriteCertificateTable(pages);
//     ... Exchange ...
//   }

// Returns how many pages it needs.
size_t CertificateTablePages();

// Writes it, and zeros behind it up to the end of `out`.
//
// Errors: kOutOfRange  `out` is smaller than CertificateTablePages() says; it is unchanged.
Result<void> WriteCertificateTable(std::span<std::byte> out);

}  // namespace nsgx::firmware
