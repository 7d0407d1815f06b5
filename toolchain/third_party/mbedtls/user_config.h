/* SPDX-License-Identifier: Apache-2.0 */
/* Added to mbedTLS's default configuration where there are threads and a heap. */
#pragma once

#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD

/* Lets a program say where memory comes from; by default it is calloc's. */
#define MBEDTLS_PLATFORM_MEMORY
