// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/image/refusal.h"

#include <cstring>
#include <string_view>

#include "base/core/check.h"

namespace nsgx::loader {
namespace {

struct Words {
  Cause cause;
  std::string_view
      text;  // '#' stands for the value in decimal, '@' for it as an address, '!' as an errno
  std::string_view remedy;
};

constexpr std::string_view kLinkAgain = "link it with the enclave() template or with nsgx-cc";
constexpr std::string_view kCopyAgain = "copy or build it again";
constexpr std::string_view kSignAgain = "sign it again with nsgx-sign";
constexpr std::string_view kPlaceholder =
    "link it with the library OS, which brings the section .nsgx.config";

constexpr Words kWords[] = {
    {Cause::kNotFound, "is not there", "give the path of an enclave image"},
    {Cause::kNotReadable, "cannot be read (!)", "check its permissions"},
    {Cause::kDirectory, "is a directory", "give the path of an enclave image"},
    {Cause::kNotRegularFile, "is no regular file", "give the path of an enclave image"},
    {Cause::kNotElf, "is not an ELF file", "give an enclave image"},
    {Cause::kTruncated, "is truncated: its headers name bytes beyond its end", kCopyAgain},
    {Cause::kNot64Bit, "is a 32-bit program", "build it for x86-64"},
    {Cause::kBigEndian, "is made for a big-endian processor", "build it for x86-64"},
    {Cause::kOtherMachine, "is made for another processor (ELF machine #)", "build it for x86-64"},
    {Cause::kOtherElfVersion, "is in an unknown version of the ELF format", kLinkAgain},
    {Cause::kNotAProgram, "is no program (ELF type #)", kLinkAgain},
    {Cause::kNotPositionIndependent, "is not position-independent", kLinkAgain},
    {Cause::kDynamic, "is dynamically linked", kLinkAgain},
    {Cause::kTextRelocations, "has relocations in read-only segments", "compile it with -fPIE"},
    {Cause::kBadHeaders, "has ELF headers of a wrong size", kCopyAgain},
    {Cause::kTooManySegments, "has # program headers, more than an image may have", kLinkAgain},
    {Cause::kNoSegments, "has nothing to load", kLinkAgain},
    {Cause::kSegmentNotReadable, "the segment at @ is not readable", kLinkAgain},
    {Cause::kSegmentWritableCode, "the segment at @ is writable and executable",
     "link it with -z separate-code and without an executable stack"},
    {Cause::kSegmentOrder, "the segment at @ is out of order", kLinkAgain},
    {Cause::kSegmentOverlap, "the segment at @ shares a page with the one before", kLinkAgain},
    {Cause::kSegmentHuge, "the segment at @ is larger than any address range", kLinkAgain},
    {Cause::kSegmentShrinks, "the segment at @ is smaller in memory than in the file", kLinkAgain},
    {Cause::kSegmentUnaligned, "the segment at @ lies differently in its page in the file",
     "link it with -z max-page-size=4096"},
    {Cause::kSegmentAlignment, "the segment at @ wants an alignment that no machine gives",
     "ask for an alignment of 2 MiB at most"},
    {Cause::kBadEntry, "the entry point @ is not in an executable segment", kLinkAgain},
    {Cause::kConfigMissing, "has no launch configuration", kPlaceholder},
    {Cause::kConfigTwice, "has two launch configurations", kPlaceholder},
    {Cause::kConfigSize,
     "its launch configuration has a size of # bytes, which is not 1 to 16 pages", kPlaceholder},
    {Cause::kConfigUnaligned, "its launch configuration at @ does not start a page", kPlaceholder},
    {Cause::kConfigNotReadOnly, "its launch configuration is not in a read-only segment",
     kPlaceholder},
    {Cause::kConfigEmpty, "is not signed: its launch configuration is empty",
     "sign it with nsgx-sign"},
    {Cause::kConfigNewer, "its launch configuration has a newer version than this program knows",
     "use a newer release of NSGX"},
    {Cause::kConfigMalformed, "its launch configuration breaks its format", kSignAgain},
    {Cause::kImageBeyondRange, "needs # bytes, more than its configured address range",
     "raise address_range in its configuration and sign it again"},
    {Cause::kFileNotInImage,
     "its launch configuration names a file at @, where no read-only segment holds it", kSignAgain},
    {Cause::kUnsigned, "is not signed", "sign it with nsgx-sign"},
    {Cause::kSignatureTwice, "has two signatures", kSignAgain},
    {Cause::kSignatureSize, "its signature has a wrong size", kSignAgain},
    {Cause::kSignatureNewer, "its signature has a newer version than this program knows",
     "use a newer release of NSGX"},
    {Cause::kSignatureMalformed, "its signature breaks its format", kSignAgain},
    {Cause::kHostCallsMalformed, "its list of host calls breaks its format", kLinkAgain},
};

constexpr bool IsIndexedByCause() {
  for (size_t i = 0; i < std::size(kWords); ++i) {
    if (kWords[i].cause != static_cast<Cause>(i)) {
      return false;
    }
  }
  return true;
}
static_assert(IsIndexedByCause());

const Words& WordsFor(const Refusal& refusal) {
  const size_t index = static_cast<size_t>(refusal.cause);
  CHECK(index < std::size(kWords));
  return kWords[index];
}

}  // namespace

void AppendCause(TextBuffer& out, const Refusal& refusal) {
  for (const char character : WordsFor(refusal).text) {
    if (character == '#') {
      out.AppendDecimal(refusal.value);
    } else if (character == '!') {
      out.Append(strerror(static_cast<int>(refusal.value)));
    } else if (character == '@') {
      AppendText(out, Hex{refusal.value});
    } else {
      out.Append(character);
    }
  }
}

void AppendRemedy(TextBuffer& out, const Refusal& refusal) { out.Append(WordsFor(refusal).remedy); }

void AppendText(TextBuffer& out, const Refusal& refusal) {
  AppendCause(out, refusal);
  out.Append("; ");
  AppendRemedy(out, refusal);
}

}  // namespace nsgx::loader
