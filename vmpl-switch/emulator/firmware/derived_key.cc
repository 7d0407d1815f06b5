// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/firmware/derived_key.h"

#include "base/core/bytes.h"
#include "base/crypto/hkdf.h"
#include "vmpl-switch/emulator/chip/sim_chip.h"

namespace nsgx::firmware {
namespace {

constexpr uint32_t kRootOfChip = 0;
constexpr uint32_t kGuestSvn = 0;
constexpr uint64_t kKnownFields = SNP_KEY_FIELD_POLICY | SNP_KEY_FIELD_IMAGE_ID |
                                  SNP_KEY_FIELD_FAMILY_ID | SNP_KEY_FIELD_MEASUREMENT |
                                  SNP_KEY_FIELD_GUEST_SVN | SNP_KEY_FIELD_TCB;

// What a key depends on. Fields that were not chosen are zero; which ones were is in `fields`.
struct Recipe {
  uint64_t fields;
  uint64_t policy;
  uint8_t image_id[16];
  uint8_t family_id[16];
  uint8_t measurement[48];
  uint64_t tcb;
  uint32_t guest_svn;
  uint32_t vmpl;
};

// No part of `tcb` may be newer than the chip.
bool IsReached(uint64_t tcb) {
  for (size_t i = 0; i < sizeof(tcb); ++i) {
    if (static_cast<uint8_t>(tcb >> (8 * i)) > chip::kSimTcb[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<void> DeriveKey(const snp_key_request& request, const KeyOwner& owner,
                       std::span<std::byte, 32> key) {
  if (request.root_key != kRootOfChip || request.reserved != 0 ||
      (request.fields & ~kKnownFields) != 0 || request.guest_svn > kGuestSvn ||
      !IsReached(request.tcb)) {
    return Error(Status::kInvalidArgument);
  }
  Recipe recipe = {};
  recipe.fields = request.fields;
  recipe.vmpl = request.vmpl;
  if ((request.fields & SNP_KEY_FIELD_POLICY) != 0) {
    recipe.policy = owner.policy;
  }
  if ((request.fields & SNP_KEY_FIELD_MEASUREMENT) != 0) {
    __builtin_memcpy(recipe.measurement, owner.measurement.data(), owner.measurement.size());
  }
  if ((request.fields & SNP_KEY_FIELD_GUEST_SVN) != 0) {
    recipe.guest_svn = request.guest_svn;
  }
  if ((request.fields & SNP_KEY_FIELD_TCB) != 0) {
    recipe.tcb = request.tcb;
  }
  return Hkdf(BytesOf(chip::kSimChipId), BytesOf("NSGX simulated derived key"), BytesOf(recipe),
              key);
}

}  // namespace nsgx::firmware
