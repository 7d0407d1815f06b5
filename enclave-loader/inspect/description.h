// SPDX-License-Identifier: Apache-2.0
// What an image says about itself, and whether that is so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/crypto/sha256.h"
#include "enclave-loader/image/image.h"

namespace nsgx::loader {

enum class SignatureState : uint8_t { kGood, kNone, kBad };

// A file that is part of the image.
struct DescribedFile {
  EmbeddedFile file;
  Sha256::Digest sha256;
};

struct Description {
  // Computed from the pages, whatever the signature says.
  Sha256::Digest identity = {};
  Sha256::Digest config_hash = {};

  SignatureState signature_state = SignatureState::kNone;
  std::string signature_fault;  // why it is bad, or why there is none; a sentence without an end
  // Without a signature whose format is right: empty.
  std::optional<nsgx_signature> signature;
  std::optional<Sha256::Digest> signer;
  bool is_development_signer = false;

  // Without a configuration whose format is right: empty, and config_fault says why.
  std::optional<ConfigView> config;
  std::string config_fault;

  std::vector<DescribedFile> files;

  uint64_t image_size = 0;
  uint64_t entry = 0;
  uint64_t data_pages = 0;
  uint64_t zero_pages = 0;
  std::vector<Segment> segments;
};

// Looks at `image`, whose file must stay for as long as the description is used, and checks its
// signature.
Description Describe(const Image& image);

// Names of what attributes and host calls are set; an unknown host call is its number.
std::vector<std::string> AttributeNames(uint64_t attributes);
std::vector<std::string> HostCallNames(const nsgx_config& config);

// "r--", "rw-", "r-x".
std::string PermissionText(uint32_t permissions);

// For people, and for programs (one JSON object).
std::string DescriptionText(std::string_view file, const Description& description);
std::string DescriptionJson(std::string_view file, const Description& description);

}  // namespace nsgx::loader
