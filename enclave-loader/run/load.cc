// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/run/load.h"

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/core/bytes.h"
#include "base/core/hex.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/image/signature.h"

namespace nsgx::loader {
namespace {

constexpr uint64_t kWindowSize = 256 * 1024;
constexpr uint64_t kMebibyte = 1024 * 1024;

template <typename... Parts>
Error<LoadFailure> Fail(int exit_status, const Parts&... parts) {
  return Error(LoadFailure{Complaint::Of(parts...), exit_status});
}

Error<LoadFailure> CreateFailure(Status status, const ConfigView& config, uint32_t vcpus) {
  switch (status) {
    case Status::kNoMemory:
      return Fail(kImageRefused, "it wants an address range of ",
                  config.address_range_size() / kMebibyte,
                  " MiB, more than this machine gives; raise the limit (ulimit -v) or sign it with "
                  "a smaller address_range");
    case Status::kOutOfRange:
      return Fail(kOurFailure, "it allows at most ", uint64_t{config.max_vcpus()}, " vCPUs, not ",
                  uint64_t{vcpus}, "; lower --vcpus");
    default:
      return Fail(kImageRefused, "the machine refused its configuration (", StatusName(status),
                  "); sign it again");
  }
}

Error<LoadFailure> InitFailure(Status status) {
  switch (status) {
    case Status::kBadMeasurement:
      return Fail(kImageRefused,
                  "it was changed after it was signed; build it again or sign it again");
    case Status::kBadSignature:
      return Fail(kImageRefused,
                  "its signature is not one of the key that it names; sign it again");
    case Status::kPermissionDenied:
      return Fail(
          kImageRefused,
          "its attributes, product or version are not those that were signed; sign it again");
    case Status::kInvalidArgument:
    case Status::kMalformed:
      return Fail(kImageRefused,
                  "the machine refused its signature or arguments; arguments and environment may "
                  "have at most ",
                  uint64_t{NSGX_ARGS_MAX_SIZE}, " bytes");
    case Status::kEntropyFailure:
      return Fail(kOurFailure,
                  "the processor's random source failed its health check; try another machine");
    case Status::kNoMemory:
      return Fail(kOurFailure, "the machine has no memory left for it; free some");
    default:
      return Fail(kOurFailure, "the machine could not start it (", StatusName(status), ")");
  }
}

// The enclave's identity and signer against what the user insists on.
Result<void, LoadFailure> CheckWanted(Device& device, const nsgx_signature& signature,
                                      const RunOptions& options) {
  const Sha256::Digest signer = SignerOf(signature);
  if (options.signer.has_value() &&
      !std::ranges::equal(*options.signer, std::as_bytes(std::span(signer)))) {
    return Fail(kImageRefused,
                "it is signed by another key than --signer names; ask its owner for an image of "
                "that signer");
  }
  std::array<std::byte, 32> identity;
  device.identity(identity);
  if (options.identity.has_value() && *options.identity != identity) {
    return Fail(kImageRefused,
                "it has another identity than --identity names; nsgx-inspect shows it");
  }
  return {};
}

}  // namespace

std::vector<std::byte> PackArguments(std::span<char* const> arguments,
                                     std::span<const std::string_view> environment) {
  const nsgx_args counts = {.argc = static_cast<uint32_t>(arguments.size()),
                            .envc = static_cast<uint32_t>(environment.size())};
  std::vector<std::byte> packed;
  const auto append = [&](std::span<const std::byte> bytes) {
    packed.insert(packed.end(), bytes.begin(), bytes.end());
  };
  append(std::as_bytes(std::span(&counts, 1)));
  for (const char* argument : arguments) {
    append(std::as_bytes(std::span(argument, std::strlen(argument) + 1)));
  }
  for (const std::string_view variable : environment) {
    append(BytesOf(variable));
    packed.push_back(std::byte{0});
  }
  return packed;
}

uint32_t ChooseVcpus(const RunOptions& options, uint32_t max_vcpus) {
  if (options.vcpus.has_value()) {
    return *options.vcpus;
  }
  cpu_set_t processors;
  CPU_ZERO(&processors);
  const int count =
      sched_getaffinity(0, sizeof processors, &processors) == 0 ? CPU_COUNT(&processors) : 1;
  return std::clamp(static_cast<uint32_t>(count), 1u, max_vcpus);
}

Result<void, LoadFailure> LoadEnclave(Device& device, const Image& image, int fd,
                                      const RunOptions& options, uint32_t vcpus) {
  const auto refuse = [](const Refusal& refusal) {
    return LoadFailure{Complaint::Of(refusal), kImageRefused};
  };
  const ConfigView config = TRY(image.Config().transform_error(refuse));
  const nsgx_signature signature = TRY(image.Signature().transform_error(refuse));

  const CreateOptions create = {.config = image.config_section(),
                                .config_offset = image.config_offset(),
                                .image_size = image.size(),
                                .entry = image.entry(),
                                .vcpus = vcpus,
                                .window_size = kWindowSize};
  if (const Result<void> created = device.Create(create); !created.ok()) {
    return CreateFailure(created.error(), config, vcpus);
  }
  for (const PageRun& run : image.runs()) {
    const LoadSource source = {.bytes = run.bytes,
                               .fd = run.file_offset.has_value() ? fd : -1,
                               .file_offset = run.file_offset.value_or(0)};
    const Result<void> added =
        run.bytes.empty() ? device.AddZeroPages(run.offset, run.permissions, run.page_count)
                          : device.AddPages(run.offset, run.permissions, source);
    if (!added.ok()) {
      return Fail(added.error() == Status::kNoMemory ? kOurFailure : kImageRefused,
                  "the machine refused its pages (", StatusName(added.error()), ")");
    }
  }
  const std::vector<std::byte> arguments = PackArguments(options.arguments, options.environment);
  if (const Result<void> started = device.Init(std::as_bytes(std::span(&signature, 1)), arguments);
      !started.ok()) {
    return InitFailure(started.error());
  }
  return CheckWanted(device, signature, options);
}

}  // namespace nsgx::loader
