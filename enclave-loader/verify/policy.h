// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "enclave-loader/verify/bytes.h"
#include "enclave-loader/verify/certificate.h"
#include "enclave-loader/verify/generation.h"

namespace nsgx::verify {

// What a relying party expects. An empty list and an absent value expect nothing: the check is then
// skipped, and says so. Of a list one match is enough. What is refused by default has to be allowed
// here.
struct Policy {
  int64_t time = 0;  // seconds since 1970; certificates must be valid then

  // The enclave.
  std::vector<Sha256Digest> identities;
  std::vector<Sha256Digest> signers;
  std::optional<uint16_t> product_id;
  std::optional<uint16_t> minimum_svn;
  std::vector<Sha256Digest> config_hashes;
  std::vector<Sha256Digest> args_hashes;
  std::vector<Sha256Digest> host_calls_hashes;
  std::optional<Sha512Digest> report_data;

  // The SEH below it. For evidence from hardware a measurement is not optional.
  std::vector<Sha384Digest> seh_measurements;
  std::optional<uint32_t> minimum_seh_svn;

  // The platform.
  std::vector<Generation> generations;
  Tcb minimum_tcb;
  std::optional<uint32_t> minimum_guest_svn;
  std::vector<Sha256Digest> host_data;
  std::vector<Sha384Digest> id_key_digests;
  std::vector<Sha384Digest> author_key_digests;
  std::vector<std::string> csp_ids;
  bool require_alias_check = false;
  std::vector<RevocationList> revocation_lists;
  std::vector<Sha256Digest> more_roots;  // hashes of public keys, as in roots.h

  bool allow_simulated = false;  // machines without hardware, which prove nothing
  bool allow_debug = false;      // enclaves and guests that a debugger can look into
  bool allow_migration = false;  // guests that a migration agent may move
};

}  // namespace nsgx::verify
