// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vmpl-switch/abi/snp_report.h"

namespace nsgx::verify {

// Generations of processors, as far as reports and certificates differ between them.
enum class Generation : uint8_t { kUnknown, kMilan, kGenoa, kTurin };

// "Milan"; "unknown".
std::string_view GenerationName(Generation generation);

// From the product name in a certificate: "Milan-B0", "Genoa", "Turin-C1".
Generation GenerationOfProduct(std::string_view product_name);
// From the processor's CPUID family and model, which reports hold since version 3. Siena and
// Bergamo count as Genoa: they have the same root.
Generation GenerationOfCpuid(uint8_t family, uint8_t model);

// Security versions of a platform in the byte order of a report.
using TcbBytes = std::array<uint8_t, 8>;

// The parts of a TcbBytes that mean something. An absent part is not asked for (in a minimum) or
// not there (in a version).
struct Tcb {
  std::optional<uint8_t> fmc;  // Turin only
  std::optional<uint8_t> boot_loader;
  std::optional<uint8_t> tee;
  std::optional<uint8_t> snp;
  std::optional<uint8_t> microcode;

  bool is_empty() const;
};

Tcb DecodeTcb(const TcbBytes& bytes, Generation generation);
// "boot loader 3, TEE 0, SNP 8, microcode 115"; absent parts are left out.
std::string TcbText(const Tcb& tcb);
// Every part that `minimum` names is there in `tcb` and at least as high.
bool ReachesMinimum(const Tcb& tcb, const Tcb& minimum);
// No byte of `low` is above that of `high`.
bool IsAtMost(const TcbBytes& low, const TcbBytes& high);

inline TcbBytes ToTcbBytes(const uint8_t (&bytes)[8]) { return std::to_array(bytes); }

}  // namespace nsgx::verify
