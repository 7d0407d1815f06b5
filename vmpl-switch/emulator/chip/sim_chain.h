// SPDX-License-Identifier: Apache-2.0
// The authorities above the simulated chip and the certificates that they signed. For build-time
// programs and tests.
#pragma once

#include <string_view>

#include "vmpl-switch/emulator/chip/der.h"
#include "vmpl-switch/emulator/chip/sim_keys.h"

namespace nsgx::chip {

inline constexpr std::string_view kSimArkName = "ARK-SIMULATED (NSGX, no hardware)";
inline constexpr std::string_view kSimAskName = "SEV-SIMULATED";
inline constexpr std::string_view kSimVcekName = "SEV-VCEK-SIMULATED";

inline constexpr RsaRecipe kSimArkKey = {"NSGX simulated ARK", 1938, 554};
inline constexpr RsaRecipe kSimAskKey = {"NSGX simulated ASK", 1023, 64};

struct SimChain {
  der::Der ark;
  der::Der ask;
  der::Der vcek;
};

// Returns the same bytes each time.
SimChain MakeSimChain();

}  // namespace nsgx::chip
