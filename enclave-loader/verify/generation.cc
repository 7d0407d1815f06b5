// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/generation.h"

#include <utility>

namespace nsgx::verify {

std::string_view GenerationName(Generation generation) {
  switch (generation) {
    case Generation::kMilan:
      return "Milan";
    case Generation::kGenoa:
      return "Genoa";
    case Generation::kTurin:
      return "Turin";
    case Generation::kUnknown:
      break;
  }
  return "unknown";
}

Generation GenerationOfProduct(std::string_view product_name) {
  const std::string_view product = product_name.substr(0, product_name.find('-'));
  for (Generation generation : {Generation::kMilan, Generation::kGenoa, Generation::kTurin}) {
    if (product == GenerationName(generation)) {
      return generation;
    }
  }
  return Generation::kUnknown;
}

Generation GenerationOfCpuid(uint8_t family, uint8_t model) {
  if (family == 0x19) {
    if (model <= 0x0f) {
      return Generation::kMilan;
    }
    if ((model >= 0x10 && model <= 0x1f) || (model >= 0xa0 && model <= 0xaf)) {
      return Generation::kGenoa;
    }
  }
  if (family == 0x1a && model <= 0x1f) {
    return Generation::kTurin;
  }
  return Generation::kUnknown;
}

bool Tcb::is_empty() const { return !fmc && !boot_loader && !tee && !snp && !microcode; }

Tcb DecodeTcb(const TcbBytes& bytes, Generation generation) {
  if (generation == Generation::kTurin) {
    return {bytes[SNP_TURIN_TCB_FMC], bytes[SNP_TURIN_TCB_BOOT_LOADER], bytes[SNP_TURIN_TCB_TEE],
            bytes[SNP_TURIN_TCB_SNP], bytes[SNP_TURIN_TCB_MICROCODE]};
  }
  return {std::nullopt, bytes[SNP_TCB_BOOT_LOADER], bytes[SNP_TCB_TEE], bytes[SNP_TCB_SNP],
          bytes[SNP_TCB_MICROCODE]};
}

namespace {

struct Part {
  std::string_view name;
  std::optional<uint8_t> Tcb::* value;
};
constexpr Part kParts[] = {
    {"FMC", &Tcb::fmc}, {"boot loader", &Tcb::boot_loader}, {"TEE", &Tcb::tee},
    {"SNP", &Tcb::snp}, {"microcode", &Tcb::microcode},
};

}  // namespace

std::string TcbText(const Tcb& tcb) {
  std::string out;
  for (const Part& part : kParts) {
    if (tcb.*part.value) {
      out += out.empty() ? "" : ", ";
      out += part.name;
      out += " " + std::to_string(*(tcb.*part.value));
    }
  }
  return out;
}

bool ReachesMinimum(const Tcb& tcb, const Tcb& minimum) {
  for (const Part& part : kParts) {
    const std::optional<uint8_t>& wanted = minimum.*part.value;
    if (wanted && (!(tcb.*part.value) || *(tcb.*part.value) < *wanted)) {
      return false;
    }
  }
  return true;
}

bool IsAtMost(const TcbBytes& low, const TcbBytes& high) {
  for (size_t i = 0; i < low.size(); ++i) {
    if (low[i] > high[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace nsgx::verify
