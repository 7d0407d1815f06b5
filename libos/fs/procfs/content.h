// SPDX-License-Identifier: Apache-2.0
// The texts of /proc.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/text_writer.h"

namespace nsgx::libos {

void WriteCpuInfo(TextWriter& out);
void WriteFileSystems(TextWriter& out);
void WriteLoadAverage(TextWriter& out);
void WriteMemInfo(TextWriter& out);
void WriteMounts(TextWriter& out);
void WriteMountInfo(TextWriter& out);
void WriteSystemStat(TextWriter& out);
// The name servers that the host says it uses, as /etc/resolv.conf has them.
void WriteNameServers(TextWriter& out);
void WriteUptime(TextWriter& out);
void WriteVersion(TextWriter& out);

// Files of /proc/sys.
void WriteBootId(TextWriter& out);
void WriteFilesOpen(TextWriter& out);
void WriteHostName(TextWriter& out);
void WriteKernelRelease(TextWriter& out);
void WriteRandomId(TextWriter& out);

void WriteControlGroup(TextWriter& out);
void WriteProcessName(TextWriter& out);
void WriteProcessStat(TextWriter& out);
void WriteProcessMemory(TextWriter& out);
void WriteProcessStatus(TextWriter& out);
// How willing the process is to be ended when memory runs out: kept, and of no effect.
void WriteOomScoreAdjustment(TextWriter& out);
Result<void, Errno> StoreOomScoreAdjustment(std::string_view text);
Result<void, Errno> StoreProcessName(std::string_view text);

// Of one thread.
void WriteThreadCommand(TextWriter& out, int32_t thread);
void WriteThreadStat(TextWriter& out, int32_t thread);
void WriteThreadStatus(TextWriter& out, int32_t thread);
Result<void, Errno> StoreThreadCommand(std::string_view text, int32_t thread);

// Of one open descriptor.
void WriteDescriptorInfo(TextWriter& out, int32_t fd);

}  // namespace nsgx::libos
