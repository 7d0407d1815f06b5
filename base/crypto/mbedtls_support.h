// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>

#include "base/core/result.h"
#include "base/crypto/drbg.h"

// What the files of this folder that use mbedTLS share. Never included by a public header.
namespace nsgx::internal {

// A big number that overwrites itself in the end.
class BigNumber {
 public:
  BigNumber() { mbedtls_mpi_init(&value_); }
  BigNumber(const BigNumber&) = delete;
  BigNumber& operator=(const BigNumber&) = delete;
  ~BigNumber() { mbedtls_mpi_free(&value_); }

  mbedtls_mpi* get() { return &value_; }

 private:
  mbedtls_mpi value_;
};

class CurvePoint {
 public:
  CurvePoint() { mbedtls_ecp_point_init(&value_); }
  CurvePoint(const CurvePoint&) = delete;
  CurvePoint& operator=(const CurvePoint&) = delete;
  ~CurvePoint() { mbedtls_ecp_point_free(&value_); }

  mbedtls_ecp_point* get() { return &value_; }

 private:
  mbedtls_ecp_point value_;
};

inline const unsigned char* RawBytes(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline unsigned char* MutableRawBytes(std::span<std::byte> bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

// What a random source returns to mbedTLS when it fails: the code of a failed entropy source.
inline constexpr int kRandomFailed = -0x3c;

// Random bytes for mbedTLS; `drbg` is a Drbg.
inline int RandomForMbedtls(void* drbg, unsigned char* out, size_t size) {
  const Result<void> result =
      static_cast<Drbg*>(drbg)->Generate(std::as_writable_bytes(std::span(out, size)));
  return result.ok() ? 0 : kRandomFailed;
}

// Turns what mbedTLS returned into a Result. Failures that have a status of their own get it, all
// others become `otherwise`.
inline Result<void> FromMbedtls(int code, Status otherwise) {
  // A code is the sum of two: of the module, and of the one below it in the lowest seven bits.
  constexpr int kLowMask = 0x7f;
  if (code == 0) {
    return {};
  }
  if ((-code & kLowMask) == -kRandomFailed) {
    return Error(Status::kEntropyFailure);
  }
  if ((-code & kLowMask) == -MBEDTLS_ERR_MPI_ALLOC_FAILED || code == MBEDTLS_ERR_ECP_ALLOC_FAILED ||
      code == MBEDTLS_ERR_MD_ALLOC_FAILED) {
    return Error(Status::kNoMemory);
  }
  return Error(otherwise);
}

}  // namespace nsgx::internal
