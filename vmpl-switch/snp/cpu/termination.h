// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace nsgx::snp {

// Why the SEH ended the machine, for who operates the host: the reason in the set kTerminationSet
// of GHCB MSR code 0x100. Never renumbered; docs/seh.md says what to do about each.
inline constexpr uint64_t kTerminationSet = 7;

enum class Termination : uint8_t {
  kNoEncryptionBit = 1,  // the CPUID page does not say where the C-bit is
  kNotSnp = 2,           // SEV_STATUS: not an SNP guest
  kNoRestrictedInjection = 3,
  kRefusedFeature = 4,  // SEV_STATUS: vTOM, reflected #VC, alternate injection, or unknown
  kNotVmpl0 = 5,
  kGhcbVersion = 6,   // the host does not speak version 2
  kHostFeatures = 7,  // the host lacks SNP, AP creation, restricted injection or VMPLs
  kBadAddress = 8,    // a page of the launch is not where it belongs
  kBadMemoryMap = 9,
  kPageState = 10,  // the host does not change the state of a page
  kValidate = 11,   // PVALIDATE refuses, or finds a page validated that may not be
  kRmpAdjust = 12,
  kNoMemory = 13,  // the SEH's region is too small for this machine
  kGhcbRegistration = 14,
  kHostProtocol = 15,  // the host gave an answer that the protocol does not know
  kUnexpectedException = 16,
  kForgedVc = 17,      // #VC without an instruction that raises it
  kNotValidated = 18,  // #VC: a page of ours lost its validation
  kDoubleFault = 19,
  kNoKernel = 20,  // fw_cfg has no Linux, or not one that can be started
  kLaunch = 21,    // Linux does not fit, or the host does not take its processor
  kNoEntropy = 22,
  kCheckFailed = 23,       // a bug of ours
  kNoGuestProcessor = 24,  // the guest's processor can't be run
  kFirmwareSecrets = 25,   // the secrets page does not hold a key
};

// Ends the machine. Also called from assembly, with the boot page tables.
extern "C" [[noreturn]] void TerminateMachine(uint64_t reason);

[[noreturn]] inline void Terminate(Termination reason) {
  TerminateMachine(static_cast<uint64_t>(reason));
}

}  // namespace nsgx::snp
