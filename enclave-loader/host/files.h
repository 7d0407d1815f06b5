// SPDX-License-Identifier: Apache-2.0
// The folders of the host that an enclave may use, and everything that it can do there. The enclave
// is not believed: it names objects by tokens that it was given, and below a directory by single
// names, so that nothing outside of a folder can be said.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"
#include "syscall-shim/hostcall/host_calls.h"

namespace nsgx::loader {

// As the operator wants it: a folder here, a path in the enclave.
struct Mount {
  std::string folder;
  std::string target;
  bool is_writable = false;
};

// Used by all vCPU threads at once.
class HostFiles {
 public:
  HostFiles() = default;
  HostFiles(const HostFiles&) = delete;
  HostFiles& operator=(const HostFiles&) = delete;
  ~HostFiles();

  // Opens the folders. Once, before anything else. From then on new files get the mode that the
  // enclave asks for (umask), and as many files can be open as the system allows.
  //
  // Errors: one line for the user.
  Result<void, Complaint> Open(std::span<const Mount> mounts);

  // Answers a call on files, which is a legal request; `data` is its data, `room` its room. The
  // enclave can change both at any time.
  int64_t Answer(shim::HostCall call, const shim::HostCallValues& values,
                 std::span<const std::byte> data, std::span<std::byte> room);

 private:
  // An object that the enclave knows of.
  class Node;
  using NodeRef = std::shared_ptr<Node>;

  NodeRef Find(uint64_t token) const;
  // The result of a call that makes a new token: writes the record of `path`, which is taken over.
  int64_t Tell(int path, const NodeRef& parent, std::span<std::byte> room, int read_write = -1);
  void Release(std::span<const std::byte> tokens);

  int64_t DescribeMount(uint64_t index, std::span<std::byte> room) const;
  int64_t LookUp(const NodeRef& directory, std::span<const std::byte> name,
                 std::span<std::byte> room);
  int64_t Make(const NodeRef& directory, uint32_t mode, std::span<const std::byte> text,
               std::span<std::byte> room);
  int64_t Link(const NodeRef& file, const NodeRef& directory, std::span<const std::byte> name);
  int64_t Rename(const NodeRef& from, const NodeRef& to, uint64_t flags,
                 std::span<const std::byte> names);

  std::vector<Mount> mounts_;
  // Folder whose entries are our descriptors; a name in it opens an object that we have as a path.
  int descriptors_ = -1;
  mutable std::mutex lock_;
  // By token; null: free. The first are the roots, which stay.
  std::vector<NodeRef> nodes_;
  std::vector<uint32_t> free_;
};

}  // namespace nsgx::loader
