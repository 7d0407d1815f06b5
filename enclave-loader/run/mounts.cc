// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/run/mounts.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "vmpl-switch/image/mount_rule.h"

namespace nsgx::loader {
namespace {

bool HasTarget(std::span<const Mount> mounts, std::string_view target) {
  return std::ranges::any_of(mounts, [&](const Mount& mount) { return mount.target == target; });
}

}  // namespace

Result<std::vector<Mount>, Complaint> ChooseMounts(const ConfigView& config,
                                                   std::span<const MountOption> options) {
  std::vector<Mount> mounts;
  for (const MountOption& option : options) {
    const FoundMountRule found = FindMountRule(config, option.target);
    if (!found.hidden.empty()) {
      return Complain("--mount ", option.text, " is refused: it would hide the image's own file ",
                      found.hidden, "; mount the folder elsewhere");
    }
    if (!found.found) {
      return Complain("--mount ", option.text, " is refused: the image's mounts have no rule for ",
                      option.target,
                      " (see nsgx-inspect); sign it with mounts = [\"hostfs:", option.target,
                      ":rw\"]");
    }
    if (option.wants_write && !found.rule.is_writable) {
      return Complain("--mount ", option.text, " is refused: the image's rule for ", option.target,
                      " is ro (see nsgx-inspect); write :ro, or sign it with rw");
    }
    if (HasTarget(mounts, option.target)) {
      return Complain("--mount ", option.text, " is refused: ", option.target,
                      " has a folder already; leave one of them out");
    }
    mounts.push_back({.folder = std::string(option.folder),
                      .target = std::string(option.target),
                      .is_writable = found.rule.is_writable && !option.read_only});
  }
  for (const std::string_view text : config.mounts()) {
    const Result<MountRule> rule = ParseMountRule(text);
    if (!rule.ok() || rule.value().source.empty() || HasTarget(mounts, rule.value().target)) {
      continue;
    }
    mounts.push_back({.folder = std::string(rule.value().source),
                      .target = std::string(rule.value().target),
                      .is_writable = rule.value().is_writable});
  }
  // A folder comes before those that are mounted in it.
  std::ranges::sort(mounts, {}, [](const Mount& mount) {
    return std::pair(mount.target.size(), std::string_view(mount.target));
  });
  return mounts;
}

}  // namespace nsgx::loader
