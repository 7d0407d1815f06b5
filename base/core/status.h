// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace nsgx {

// Why an operation did not succeed. This is all that a less trusted caller ever learns.
//
// The values are part of the ABI between the worlds: a value is never renumbered or reused, new
// ones go to the end. `kOk` exists for the ABI, where success needs a number; inside the program
// success is a `Result` that holds a value, and no `Result` holds the error `kOk`.
enum class Status : uint32_t {
  kOk = 0,                // Success.
  kInvalidArgument = 1,   // An argument can never be right, whatever the state.
  kBadState = 2,          // The object is in a state in which this operation is not allowed.
  kNoMemory = 3,          // No page, slot or buffer space is left; nothing has changed.
  kNotFound = 4,          // The named object does not exist.
  kPermissionDenied = 5,  // The caller has no right to do this.
  kAlreadyExists = 6,     // The object or mapping is there already.
  kBusy = 7,              // Somebody else is using the object; trying again later may work.
  kOutOfRange = 8,        // An offset, size or count leaves its range, or arithmetic overflows.
  kUnsupported = 9,       // This build, machine or version does not offer the operation.
  kBadSignature = 10,     // A signature does not verify under the key it names.
  kBadMeasurement = 11,   // The measured identity differs from the expected one.
  kMalformed = 12,        // Input does not follow its format, or ends too early.
  kEntropyFailure = 13,   // The random source failed or gave output that looks broken.
  kHostFault = 14,        // The untrusted host gave an answer that is not legal.
  kInternal = 15,         // A bug of ours that was found before it did harm.
  kBadTag = 16,           // An authentication tag or MAC does not match: data or key is wrong.
  kTimedOut = 17,         // The deadline passed first.
  kInterrupted = 18,      // The operation stopped early and may be issued again.
  kCancelled = 19,        // The object the operation waited for went away.
};

// Returns the enumerator's name without the `k`, or "Unknown" for a number that is no status.
constexpr std::string_view StatusName(Status status) {
  switch (status) {
    case Status::kOk:
      return "Ok";
    case Status::kInvalidArgument:
      return "InvalidArgument";
    case Status::kBadState:
      return "BadState";
    case Status::kNoMemory:
      return "NoMemory";
    case Status::kNotFound:
      return "NotFound";
    case Status::kPermissionDenied:
      return "PermissionDenied";
    case Status::kAlreadyExists:
      return "AlreadyExists";
    case Status::kBusy:
      return "Busy";
    case Status::kOutOfRange:
      return "OutOfRange";
    case Status::kUnsupported:
      return "Unsupported";
    case Status::kBadSignature:
      return "BadSignature";
    case Status::kBadMeasurement:
      return "BadMeasurement";
    case Status::kMalformed:
      return "Malformed";
    case Status::kEntropyFailure:
      return "EntropyFailure";
    case Status::kHostFault:
      return "HostFault";
    case Status::kInternal:
      return "Internal";
    case Status::kBadTag:
      return "BadTag";
    case Status::kTimedOut:
      return "TimedOut";
    case Status::kInterrupted:
      return "Interrupted";
    case Status::kCancelled:
      return "Cancelled";
  }
  return "Unknown";
}

}  // namespace nsgx
