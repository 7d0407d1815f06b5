// SPDX-License-Identifier: Apache-2.0
#include <array>

#include <nlohmann/json.hpp>

#include "base/core/hex.h"
#include "enclave-loader/inspect/description.h"

namespace nsgx::loader {
namespace {

// In the order in which it is written here.
using Json = nlohmann::ordered_json;

std::string HexText(std::span<const std::byte> bytes) {
  std::string text(2 * bytes.size(), '\0');
  return std::string(EncodeHex(bytes, text).value());
}

Json StringsJson(const ConfigStrings& strings) {
  Json out = Json::array();
  for (const std::string_view text : strings) {
    out.push_back(text);
  }
  return out;
}

Json SignatureJson(const Description& description) {
  constexpr std::array<const char*, 3> kStates = {"good", "none", "bad"};
  Json out = {{"state", kStates[static_cast<size_t>(description.signature_state)]}};
  if (!description.signature_fault.empty()) {
    out["fault"] = description.signature_fault;
  }
  if (description.signature.has_value() && description.signer.has_value()) {
    const nsgx_signature& signature = *description.signature;
    out["signer"] = HexText(*description.signer);
    out["development_key"] = description.is_development_signer;
    out["date"] = signature.date;
    out["identity"] = HexText(std::as_bytes(std::span(signature.identity)));
    out["product_id"] = signature.product_id;
    out["svn"] = signature.svn;
    out["attributes"] = AttributeNames(signature.attributes);
    out["attribute_mask"] = signature.attribute_mask;
  }
  return out;
}

Json FilesJson(const Description& description) {
  Json out = Json::array();
  for (const DescribedFile& described : description.files) {
    out.push_back({{"path", described.file.path},
                   {"size", described.file.size},
                   {"executable", described.file.is_executable},
                   {"offset", described.file.offset},
                   {"sha256", HexText(described.sha256)}});
  }
  return out;
}

Json ConfigJson(const Description& description) {
  if (!description.config.has_value()) {
    return {{"fault", description.config_fault}};
  }
  const ConfigView& config = *description.config;
  return {
      {"hash", HexText(description.config_hash)},
      {"product_id", config.product_id()},
      {"svn", config.svn()},
      {"attributes", AttributeNames(config.attributes())},
      {"address_range", config.address_range_size()},
      {"main_stack", config.main_stack_size()},
      {"max_vcpus", config.max_vcpus()},
      {"args_fixed", StringsJson(config.args_fixed())},
      {"env_allow", StringsJson(config.env_allow())},
      {"env_fixed", StringsJson(config.env_fixed())},
      {"mounts", StringsJson(config.mounts())},
      {"files", FilesJson(description)},
      {"host_calls", HostCallNames(config.config())},
  };
}

Json SegmentsJson(const Description& description) {
  Json out = Json::array();
  for (const Segment& segment : description.segments) {
    out.push_back({{"permissions", PermissionText(segment.permissions)},
                   {"offset", segment.offset},
                   {"memory_size", segment.memory_size},
                   {"file_offset", segment.file_offset},
                   {"file_size", segment.file_size}});
  }
  return out;
}

}  // namespace

std::string DescriptionJson(std::string_view file, const Description& description) {
  const Json out = {
      {"image", file},
      {"identity", HexText(description.identity)},
      {"signature", SignatureJson(description)},
      {"configuration", ConfigJson(description)},
      {"image_size", description.image_size},
      {"entry", description.entry},
      {"data_pages", description.data_pages},
      {"zero_pages", description.zero_pages},
      {"segments", SegmentsJson(description)},
  };
  // Names may be in no encoding at all.
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace nsgx::loader
