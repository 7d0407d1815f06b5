/* SPDX-License-Identifier: Apache-2.0 */
/* How print_abi prints, and its second half. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#define STRUCT(type) printf("\nstruct %s: %zu bytes\n", #type, sizeof(struct type))
#define FIELD(type, field)                                                                         \
  printf("  0x%03zx %5zu %s\n", offsetof(struct type, field), sizeof(((struct type*)NULL)->field), \
         #field)
#define NUMBER(name) printf("%s = 0x%llx\n", #name, (unsigned long long)(name))

void PrintSnpAbi(void);
