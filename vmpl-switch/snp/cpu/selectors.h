// SPDX-License-Identifier: Apache-2.0
// Segments at VMPL0. For C++ and assembly.
#pragma once

// In the order that SYSRET demands: user data, then user code.
#define SEH_CODE_SELECTOR 0x08
#define SEH_DATA_SELECTOR 0x10
#define SEH_USER_DATA_SELECTOR 0x1b
#define SEH_USER_CODE_SELECTOR 0x23
#define SEH_TSS_SELECTOR 0x28
