// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/image/mount_rule.h"

#include "base/core/addr.h"
#include "base/core/align.h"

namespace nsgx {
namespace {

// Not plain literals: their length would be counted, and the SEH has no strlen.
using namespace std::string_view_literals;

constexpr size_t kNone = ~size_t{0};

size_t Find(std::string_view text, char wanted) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == wanted) {
      return i;
    }
  }
  return kNone;
}

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

// The device files and what the library OS tells of itself are never the host's.
constexpr std::string_view kOwn[] = {"/dev"sv, "/proc"sv, "/sys"sv};
// What programs believe without asking.
constexpr std::string_view kBelieved = "/etc"sv;

bool IsInOrBelow(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool IsOwn(std::string_view path) {
  for (const std::string_view folder : kOwn) {
    if (IsInOrBelow(path, folder)) {
      return true;
    }
  }
  return false;
}

// A decimal number, as it is printed, and the colon behind it.
Result<uint64_t> TakeNumber(std::string_view& text) {
  const size_t end = Find(text, ':');
  if (end == kNone || end == 0 || end > 15 || (text[0] == '0' && end != 1)) {
    return Error(Status::kMalformed);
  }
  uint64_t value = 0;
  for (size_t i = 0; i < end; ++i) {
    if (text[i] < '0' || text[i] > '9') {
      return Error(Status::kMalformed);
    }
    value = value * 10 + static_cast<uint64_t>(text[i] - '0');
  }
  text.remove_prefix(end + 1);
  return value;
}

}  // namespace

bool IsPlainPath(std::string_view path) {
  constexpr size_t kMaxPath = 4000;
  if (path.size() < 2 || path.size() > kMaxPath || path[0] != '/') {
    return false;
  }
  for (size_t begin = 1; begin <= path.size();) {
    const size_t size = Find(path.substr(begin), '/');
    const std::string_view name = path.substr(begin, size);
    if (name.empty() || name.size() > 255 || name == "."sv || name == ".."sv) {
      return false;
    }
    begin += name.size() + 1;
    if (begin == path.size()) {
      return false;  // a slash at the end
    }
  }
  return true;
}

bool MountRule::Covers(std::string_view path) const {
  if (!is_pattern) {
    return path == target;
  }
  return IsPlainPath(path) && path.size() > target.size() && path.starts_with(target) &&
         path[target.size()] == '/' && !IsOwn(path) && !IsInOrBelow(path, kBelieved);
}

Result<MountRule> ParseMountRule(std::string_view text) {
  if (!TakePrefix(text, "hostfs:"sv)) {
    return Error(Status::kMalformed);
  }
  const size_t colon = Find(text, ':');
  if (colon == kNone) {
    return Error(Status::kMalformed);
  }
  MountRule rule;
  rule.target = text.substr(0, colon);
  text.remove_prefix(colon + 1);
  if (rule.target.ends_with("/*"sv)) {
    rule.is_pattern = true;
    rule.target.remove_suffix(2);
  }
  const bool is_all = rule.is_pattern && rule.target.empty();
  if ((!is_all && !IsPlainPath(rule.target)) || Find(rule.target, '*') != kNone) {
    return Error(Status::kMalformed);
  }
  if (IsOwn(rule.target)) {
    return Error(Status::kMalformed);
  }
  if (TakePrefix(text, "rw"sv)) {
    rule.is_writable = true;
  } else if (!TakePrefix(text, "ro"sv)) {
    return Error(Status::kMalformed);
  }
  if (text.empty()) {
    return rule;
  }
  if (!TakePrefix(text, ",source="sv) || text.empty() || text[0] != '/' || rule.is_pattern) {
    return Error(Status::kMalformed);
  }
  rule.source = text;
  return rule;
}

FoundMountRule FindMountRule(const ConfigView& config, std::string_view path) {
  for (const std::string_view text : config.files()) {
    const Result<EmbeddedFile> file = ParseEmbeddedFile(text);
    if (file.ok() && IsInOrBelow(file.value().path, path)) {
      return {.hidden = file.value().path};
    }
  }
  for (const std::string_view text : config.mounts()) {
    const Result<MountRule> rule = ParseMountRule(text);
    if (rule.ok() && rule.value().Covers(path)) {
      return {.found = true, .rule = rule.value()};
    }
  }
  return {};
}

Result<EmbeddedFile> ParseEmbeddedFile(std::string_view text) {
  EmbeddedFile file;
  file.offset = TRY(TakeNumber(text));
  file.size = TRY(TakeNumber(text));
  if (!IsAligned(file.offset, kPageSize) || file.offset > NSGX_MAX_ADDRESS_RANGE ||
      file.size > NSGX_MAX_ADDRESS_RANGE - file.offset) {
    return Error(Status::kMalformed);
  }
  if (TakePrefix(text, "x:"sv)) {
    file.is_executable = true;
  } else if (!TakePrefix(text, "r:"sv)) {
    return Error(Status::kMalformed);
  }
  if (!IsPlainPath(text) || IsOwn(text)) {
    return Error(Status::kMalformed);
  }
  file.path = text;
  return file;
}

}  // namespace nsgx
