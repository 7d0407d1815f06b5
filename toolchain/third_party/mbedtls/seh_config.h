/* SPDX-License-Identifier: Apache-2.0 */
/* What the SEH uses of mbedTLS: hashes, RSA-PSS and ECDSA P-384, AES-GCM. No files, clock, entropy
 * or threads; of a C library only memcpy, memmove, memset, memcmp and strlen. */
#pragma once

#include <stddef.h>

#define MBEDTLS_HAVE_ASM
#define MBEDTLS_NO_UDBL_DIVISION /* would need a function of the compiler's library */
#define MBEDTLS_NO_PLATFORM_ENTROPY

#define MBEDTLS_AES_C
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_GCM_C

#define MBEDTLS_MD_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C

#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_OID_C
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V21

#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECDSA_DETERMINISTIC
#define MBEDTLS_HMAC_DRBG_C

/* Memory for big numbers: the SEH gives it from a heap of fixed size, cleared like calloc's; null
 * when it is full. */
#ifdef __cplusplus
extern "C" {
#endif
void* nsgx_mbedtls_calloc(size_t count, size_t size);
void nsgx_mbedtls_free(void* memory);
#ifdef __cplusplus
}
#endif
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO nsgx_mbedtls_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO nsgx_mbedtls_free
