// SPDX-License-Identifier: Apache-2.0
// Who the simulated chip is: what its reports and its certificates both say.
#pragma once

#include <cstdint>
#include <string_view>

namespace nsgx::chip {

// It claims to be a Genoa where a format needs a generation, so that verifiers take the same path
// as for a real one.
inline constexpr std::string_view kSimProductName = "Genoa-SIMULATED";
inline constexpr uint8_t kSimCpuidFamily = 0x19;
inline constexpr uint8_t kSimCpuidModel = 0x11;
inline constexpr uint8_t kSimCpuidStepping = 0x01;

// Security versions: boot loader 9, TEE 0, SNP 23, microcode 72.
inline constexpr uint8_t kSimTcb[8] = {9, 0, 0, 0, 0, 0, 23, 72};
inline constexpr uint8_t kSimFirmwareVersion[3] = {21, 55, 1};  // build, minor, major

// 64 bytes that tell anybody who looks at them.
inline constexpr std::string_view kSimChipId =
    "NSGX SIMULATED CHIP NO HARDWARE NSGX SIMULATED CHIP NO HARDWARE ";
static_assert(kSimChipId.size() == 64);

// Of the key that signs reports; see label_key.h.
inline constexpr std::string_view kSimVcekLabel = "NSGX simulated VCEK";

}  // namespace nsgx::chip
