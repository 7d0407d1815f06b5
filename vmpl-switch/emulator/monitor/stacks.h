// SPDX-License-Identifier: Apache-2.0
// The stacks of the monitor's processors, by number; at the bottom of each is what has to be found
// without knowing which processor this is. Also for assembly.
#pragma once

#define STACK_SHIFT 18
#define STACK_SIZE (1 << STACK_SHIFT)
#define STACKS 8
#define STACK_NMI 0 /* an NMI has come: 4 bytes */
