// SPDX-License-Identifier: Apache-2.0
// The texts of /proc.
#pragma once

#include "libos/vfs/text_writer.h"

namespace nsgx::libos {

void WriteCpuInfo(TextWriter& out);
void WriteMemInfo(TextWriter& out);
void WriteMounts(TextWriter& out);
void WriteUptime(TextWriter& out);
void WriteVersion(TextWriter& out);

void WriteProcessName(TextWriter& out);
void WriteProcessStat(TextWriter& out);
void WriteProcessMemory(TextWriter& out);
void WriteProcessStatus(TextWriter& out);

}  // namespace nsgx::libos
