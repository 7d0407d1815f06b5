// SPDX-License-Identifier: Apache-2.0
// Whatever a guest sends, the secure processor answers with a status or with a response that this
// guest can open. Input: a byte, then either a whole page or, when the byte is odd, header and
// payload of a message that is then sealed as it should be.
#include <algorithm>
#include <cstring>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "vmpl-switch/emulator/firmware/guest_side.h"
#include "vmpl-switch/emulator/firmware/secure_processor.h"

namespace {

using namespace nsgx;
using namespace nsgx::firmware;

Page PageOf(std::span<const std::byte> input, const snp_secrets& secrets, bool is_sealed) {
  Page page = {};
  std::copy_n(input.begin(), std::min(input.size(), page.size()), page.begin());
  if (is_sealed) {
    snp_message_header header;
    std::memcpy(&header, page.data(), sizeof(header));
    const size_t size = std::min<size_t>(header.payload_size, page.size() - sizeof(header));
    return SealMessage(std::as_bytes(std::span(secrets.vmpck[header.vmpck % SNP_VMPCK_COUNT])),
                       header, std::span(page).subspan(sizeof(header), size));
  }
  return page;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  SecureProcessor processor;
  const snp_secrets secrets = Launch(processor);
  const Page request =
      PageOf(std::as_bytes(std::span(data, size)).subspan(1), secrets, (data[0] & 1) != 0);
  Page response = {};
  const FirmwareStatus status = processor.Exchange(request, response);
  if (status != FirmwareStatus::kSuccess) {
    CHECK(status == FirmwareStatus::kInvalidParameter || status == FirmwareStatus::kBadMeasurement);
    CHECK(response == Page{});
    return 0;
  }
  const uint8_t vmpck = std::to_integer<uint8_t>(request[offsetof(snp_message_header, vmpck)]);
  CHECK(vmpck < SNP_VMPCK_COUNT);
  const OpenedMessage message =
      OpenMessage(std::as_bytes(std::span(secrets.vmpck[vmpck])), response);
  CHECK(message.header.sequence == 2 && message.header.vmpck == vmpck);
  CHECK(message.payload.size() == sizeof(snp_report_response) ||
        message.payload.size() == sizeof(snp_key_response));
  return 0;
}
