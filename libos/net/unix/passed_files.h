// SPDX-License-Identifier: Apache-2.0
// Open files on their way from one Unix-domain socket to another (SCM_RIGHTS).
//
// A socket can lie in its own queue, or two in each other's: nobody can ever take them out once no
// descriptor leads there. CollectLostSockets finds such sockets, and closes what is in their
// queues. How many files are on their way at once is bounded by the limit of open descriptors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/net/control_message.h"
#include "libos/vfs/file.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

class UnixSocket;

class PassedFiles {
 public:
  static constexpr size_t kMost = 253;  // of one message, as on Linux

  constexpr PassedFiles() = default;
  PassedFiles(PassedFiles&& other) noexcept;
  PassedFiles& operator=(PassedFiles&& other) noexcept;
  ~PassedFiles();

  bool is_empty() const { return count_ == 0; }
  std::span<const Ref<File>> files() const { return {files_, count_}; }

  // Adds the files of an array of descriptors, as the program gave it. EBADF; EINVAL: too many of
  // them; ETOOMANYREFS: too many are on their way already; ENOMEM.
  Result<void, Errno> Add(std::span<const std::byte> descriptors);
  // The same files again, for who looks at a message that stays where it is: these do not count as
  // being on their way. ENOMEM.
  Result<PassedFiles, Errno> Clone() const;

  // Opens them for the program, as many as `control` has room for, and tells it their numbers. What
  // is left over is closed. EFAULT.
  Result<void, Errno> Deliver(ControlMessageWriter& control, bool close_on_exec) const;

 private:
  Result<void, Errno> EnsureRoom();
  void Append(Ref<File> file);

  Ref<File>* files_ = nullptr;
  size_t count_ = 0;
  bool is_on_its_way_ = true;
};

// Called when a Unix-domain socket has been closed: its end may have cut others off. Cheap unless
// sockets are on their way.
void CollectLostSockets();

}  // namespace nsgx::libos
