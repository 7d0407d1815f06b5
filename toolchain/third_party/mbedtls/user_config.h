/* SPDX-License-Identifier: Apache-2.0 */
/* Added to mbedTLS's default configuration where there are threads. */
#pragma once

#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD
