// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cinttypes>
#include <cstdio>

#include "base/core/hex.h"
#include "enclave-loader/inspect/description.h"

namespace nsgx::loader {
namespace {

constexpr size_t kColumn = 16;

std::string HexText(const Sha256::Digest& digest) {
  std::array<char, 2 * Sha256::kDigestSize> text;
  return std::string(EncodeHex(digest, text).value());
}

std::string Number(const char* format, uint64_t value) {
  std::array<char, 32> buffer;
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

// "64 GiB" for what is a whole number of a unit.
std::string SizeText(uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (unit + 1 < kUnits.size() && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + " " + kUnits[unit];
}

std::string DateText(uint32_t date) {
  std::array<char, 32> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%04u-%02u-%02u", date / 10000, date / 100 % 100,
                date % 100);
  return buffer.data();
}

// Strings in images were chosen by somebody: nothing in them may move the terminal.
std::string Printable(std::string_view text) {
  std::string out;
  for (const char character : text) {
    const unsigned char byte = static_cast<unsigned char>(character);
    out += byte < 0x20 || byte == 0x7f ? '?' : character;
  }
  return out;
}

template <typename Strings>
std::string Joined(const Strings& strings, std::string_view quote, std::string_view otherwise) {
  std::string out;
  for (const auto& text : strings) {
    out += out.empty() ? "" : " ";
    out += quote;
    out += Printable(text);
    out += quote;
  }
  return out.empty() ? std::string(otherwise) : out;
}

void AppendRow(std::string& out, std::string_view name, const std::string& value) {
  out += name;
  out.append(kColumn - name.size(), ' ');
  out += value + "\n";
}

void AppendSignature(std::string& out, const Description& description) {
  switch (description.signature_state) {
    case SignatureState::kGood:
      AppendRow(out, "signature", "good");
      break;
    case SignatureState::kNone:
      AppendRow(out, "signature", "none: " + description.signature_fault);
      break;
    case SignatureState::kBad:
      AppendRow(out, "signature", "BAD: " + description.signature_fault);
      break;
  }
  if (!description.signature.has_value() || !description.signer.has_value()) {
    return;
  }
  // Of a bad signature, all this is a claim.
  const std::string_view doubt =
      description.signature_state == SignatureState::kGood ? "" : " (claimed)";
  AppendRow(out, "signer", HexText(*description.signer) + std::string(doubt));
  if (description.is_development_signer) {
    AppendRow(out, "", "development key: anybody can sign with it");
  }
  AppendRow(out, "signed on", DateText(description.signature->date) + std::string(doubt));
}

void AppendConfig(std::string& out, const Description& description) {
  if (!description.config.has_value()) {
    AppendRow(out, "configuration", "none: " + description.config_fault);
    return;
  }
  const ConfigView& config = *description.config;
  const uint64_t attributes = config.attributes();
  AppendRow(
      out, "product",
      std::to_string(config.product_id()) + ", security version " + std::to_string(config.svn()));
  AppendRow(out, "attributes", Joined(AttributeNames(attributes), "", "none"));
  AppendRow(out, "address range", SizeText(config.address_range_size()));
  AppendRow(out, "main stack", SizeText(config.main_stack_size()));
  AppendRow(out, "vCPUs", "up to " + std::to_string(config.max_vcpus()));
  AppendRow(out, "arguments",
            (attributes & NSGX_ATTRIBUTE_ANY_ARGS) != 0 ? "from outside"
                                                        : Joined(config.args_fixed(), "'", "none"));
  AppendRow(out, "environment",
            (attributes & NSGX_ATTRIBUTE_ANY_ENV) != 0
                ? "from outside"
                : Joined(config.env_allow(), "", "nothing from outside"));
  if (!config.env_fixed().is_empty()) {
    AppendRow(out, "", Joined(config.env_fixed(), "'", ""));
  }
  AppendRow(out, "mounts", Joined(config.mounts(), "", "nothing from outside"));
  for (const DescribedFile& described : description.files) {
    const EmbeddedFile& file = described.file;
    AppendRow(out, &described == &description.files.front() ? "files" : "",
              Printable(file.path) + (file.is_executable ? " (executable), " : ", ") +
                  std::to_string(file.size) + " bytes");
    AppendRow(out, "", "  sha256 " + HexText(described.sha256));
  }
  AppendRow(out, "host calls", Joined(HostCallNames(config.config()), "", "none"));
  AppendRow(out, "config hash", HexText(description.config_hash));
}

void AppendPages(std::string& out, const Description& description) {
  AppendRow(out, "pages",
            std::to_string(description.data_pages) + " with contents, " +
                std::to_string(description.zero_pages) + " of zeros, " +
                SizeText(description.image_size) + " in all");
  AppendRow(out, "entry", Number("0x%" PRIx64, description.entry));
  for (const Segment& segment : description.segments) {
    AppendRow(out, &segment == &description.segments.front() ? "segments" : "",
              PermissionText(segment.permissions) + Number(" 0x%08" PRIx64, segment.offset) +
                  Number(", 0x%" PRIx64, segment.memory_size) +
                  Number(" bytes, 0x%" PRIx64, segment.file_size) +
                  Number(" of them at 0x%" PRIx64, segment.file_offset) + " in the file");
  }
}

}  // namespace

std::string DescriptionText(std::string_view file, const Description& description) {
  std::string out;
  AppendRow(out, "image", Printable(file));
  AppendRow(out, "identity", HexText(description.identity));
  AppendSignature(out, description);
  AppendConfig(out, description);
  AppendPages(out, description);
  return out;
}

}  // namespace nsgx::loader
