// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/sign/signed_image.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "enclave-loader/image/image.h"
#include "enclave-loader/sign/deterministic_signature.h"
#include "vmpl-switch/image/mount_rule.h"
#include "vmpl-switch/image/signature.h"

namespace nsgx::loader {
namespace {

using Bytes = std::vector<std::byte>;

Complaint ToComplaint(const Refusal& refusal) { return Complaint::Of(refusal); }

void AlignEnd(Bytes& file, size_t alignment) {
  file.resize((file.size() + alignment - 1) / alignment * alignment);
}

// Appends `bytes` and returns where they begin.
uint64_t Append(Bytes& file, std::span<const std::byte> bytes) {
  const uint64_t offset = file.size();
  file.insert(file.end(), bytes.begin(), bytes.end());
  return offset;
}

// An ELF file whose last sections come and go. Nothing that is loaded moves, and all other sections
// keep their numbers, which symbols refer to: the table of headers and the names of sections are
// written anew at the end.
class SectionEditor {
 public:
  // Requires: `file` is an image, which has section headers and their names.
  explicit SectionEditor(Bytes& file) : file_(file), header_(OpenElf(file).header()) {
    const ElfFile elf = OpenElf(file);
    for (size_t i = 0; i < elf.section_count(); ++i) {
      sections_.push_back(elf.section(i));
    }
    for (size_t i = 0; i < elf.segment_count(); ++i) {
      segments_.push_back(elf.segment(i));
    }
    const Elf64_Shdr& names = sections_[header_.e_shstrndx];
    names_.assign(reinterpret_cast<const char*>(file.data()) + names.sh_offset, names.sh_size);
  }

  // Before anything is cut or added.
  void DropTable() {
    if (header_.e_shoff + sections_.size() * sizeof(Elf64_Shdr) == file_.size()) {
      file_.resize(header_.e_shoff);  // linkers put it there
    }
  }

  // Null without one.
  const Elf64_Shdr* Find(std::string_view name) const {
    const auto found = std::ranges::find(
        sections_, name, [&](const Elf64_Shdr& section) { return NameOf(section); });
    return found == sections_.end() ? nullptr : &*found;
  }

  // Takes the section, all that follows in the file, and its segment out.
  //
  // Errors: what follows is not what was written here.
  Result<void, Complaint> CutFrom(const Elf64_Shdr& first) {
    const Elf64_Shdr cut = first;
    while (sections_.size() > header_.e_shstrndx + size_t{1} &&
           (NameOf(sections_.back()) == NSGX_FILES_SECTION ||
            (NameOf(sections_.back()) == NSGX_SIGNATURE_SECTION &&
             sections_.back().sh_offset >= cut.sh_offset))) {
      sections_.pop_back();
    }
    for (size_t i = 0; i < sections_.size(); ++i) {
      const Elf64_Shdr& section = sections_[i];
      if (section.sh_type != SHT_NOBITS && i != header_.e_shstrndx &&
          (section.sh_offset > cut.sh_offset ||
           section.sh_size > cut.sh_offset - section.sh_offset)) {
        return Complain("was changed after files were embedded; sign what the linker has made");
      }
    }
    file_.resize(std::min<size_t>(file_.size(), cut.sh_offset));
    for (Elf64_Phdr& segment : segments_) {
      if (segment.p_type == PT_LOAD && segment.p_offset == cut.sh_offset) {
        segment = kSpare;
      }
    }
    return {};
  }

  // Appends a section; returns where it begins in the file.
  uint64_t Add(std::string_view name, Elf64_Shdr section, std::span<const std::byte> contents) {
    AlignEnd(file_, section.sh_addralign);
    section.sh_type = SHT_PROGBITS;
    section.sh_size = contents.size();
    section.sh_offset = Append(file_, contents);
    // With its NUL, and that of the name before: not the end of another.
    const std::string text = std::string(1, '\0').append(name).append(1, '\0');
    size_t at = names_.find(text);
    if (at == names_.npos) {
      at = names_.size() - 1;
      names_.append(text, 1);
    }
    section.sh_name = static_cast<uint32_t>(at + 1);
    sections_.push_back(section);
    return section.sh_offset;
  }

  // Makes a segment of `load`, which lies behind all others, in place of a header that says
  // nothing.
  //
  // Errors: there is no such header.
  Result<void, Complaint> AddSegment(const Elf64_Phdr& load) {
    size_t spare = segments_.size();
    for (size_t i = 0; i < segments_.size(); ++i) {
      const Elf64_Phdr& segment = segments_[i];
      if (segment.p_type == PT_LOAD) {
        spare = segments_.size();  // segments are in order
      } else if (spare == segments_.size() && segment.p_type == PT_GNU_STACK &&
                 segment.p_memsz == 0) {
        spare = i;
      }
    }
    if (spare == segments_.size()) {
      return Complain(
          "has no program header to spare for embedded files; link it without -z stack-size");
    }
    segments_[spare] = load;
    return {};
  }

  // Errors: there are too many sections.
  Result<void, Complaint> Write() {
    if (sections_.size() >= SHN_LORESERVE) {
      return Complain("has too many sections; link it again without some");
    }
    Elf64_Shdr& names = sections_[header_.e_shstrndx];
    names.sh_offset = Append(file_, std::as_bytes(std::span(names_)));
    names.sh_size = names_.size();
    AlignEnd(file_, alignof(Elf64_Shdr));
    header_.e_shoff = Append(file_, std::as_bytes(std::span(sections_)));
    header_.e_shnum = static_cast<uint16_t>(sections_.size());
    std::memcpy(file_.data(), &header_, sizeof(header_));
    std::memcpy(file_.data() + header_.e_phoff, segments_.data(),
                segments_.size() * sizeof(Elf64_Phdr));
    return {};
  }

 private:
  // As linkers write it for a stack that is not executable, of no size: nobody reads it.
  static constexpr Elf64_Phdr kSpare = {.p_type = PT_GNU_STACK,
                                        .p_flags = PF_R | PF_W,
                                        .p_offset = 0,
                                        .p_vaddr = 0,
                                        .p_paddr = 0,
                                        .p_filesz = 0,
                                        .p_memsz = 0,
                                        .p_align = 0};

  std::string_view NameOf(const Elf64_Shdr& section) const {
    return StringAt(std::as_bytes(std::span(names_)), section.sh_name);
  }

  static ElfFile OpenElf(std::span<const std::byte> file) {
    auto opened = ElfFile::Open(file);
    CHECK(opened.ok());
    return opened.value();
  }

  Bytes& file_;
  Elf64_Ehdr header_;
  std::vector<Elf64_Shdr> sections_;
  std::vector<Elf64_Phdr> segments_;
  std::string names_;
};

// Where the image ends without the files that it has.
uint64_t EndWithoutFiles(const Image& image, const Elf64_Shdr* files) {
  const Segment& last = image.segments().back();
  return files != nullptr && last.offset == files->sh_addr ? last.offset : image.size();
}

// The files one behind the other, each at the start of a page, and what the configuration says of
// them.
struct EmbeddedFiles {
  Bytes bytes;
  std::vector<std::string> entries;
};
EmbeddedFiles LayOut(std::span<const FileToEmbed> files, uint64_t offset) {
  EmbeddedFiles out;
  for (const FileToEmbed& file : files) {
    out.entries.push_back(std::to_string(offset + out.bytes.size()) + ":" +
                          std::to_string(file.bytes.size()) + (file.is_executable ? ":x:" : ":r:") +
                          file.path);
    Append(out.bytes, file.bytes);
    AlignEnd(out.bytes, NSGX_PAGE_SIZE);
  }
  return out;
}

// Writes the files into the image, in place of those that it has, and makes room for a signature.
// Returns what the configuration is to say of them.
Result<std::vector<std::string>, Complaint> PlaceFiles(Bytes& file, const Image& image,
                                                       std::span<const FileToEmbed> files) {
  SectionEditor editor(file);
  const Elf64_Shdr* const old = editor.Find(NSGX_FILES_SECTION);
  const uint64_t offset = EndWithoutFiles(image, old);
  if (old == nullptr && files.empty() && image.signature_part().size != 0) {
    return std::vector<std::string>();
  }
  editor.DropTable();
  if (old != nullptr) {
    TRY(editor.CutFrom(*old));
  }
  EmbeddedFiles embedded = LayOut(files, offset);
  if (!embedded.bytes.empty()) {
    Elf64_Shdr section = {};
    section.sh_flags = SHF_ALLOC;
    section.sh_addr = offset;
    section.sh_addralign = NSGX_PAGE_SIZE;
    const uint64_t file_offset = editor.Add(NSGX_FILES_SECTION, section, embedded.bytes);
    TRY(editor.AddSegment({.p_type = PT_LOAD,
                           .p_flags = PF_R,
                           .p_offset = file_offset,
                           .p_vaddr = offset,
                           .p_paddr = offset,
                           .p_filesz = embedded.bytes.size(),
                           .p_memsz = embedded.bytes.size(),
                           .p_align = NSGX_PAGE_SIZE}));
  }
  if (editor.Find(NSGX_SIGNATURE_SECTION) == nullptr) {
    Elf64_Shdr section = {};
    section.sh_addralign = alignof(nsgx_signature);
    editor.Add(NSGX_SIGNATURE_SECTION, section, Bytes(sizeof(nsgx_signature)));
  }
  TRY(editor.Write());
  return std::move(embedded.entries);
}

// Errors: a rule allows a folder of the host in the place of a file, or of a folder that it is in.
Result<void, Complaint> CheckMounts(const ConfigView& config) {
  for (const std::string_view text : config.mounts()) {
    const MountRule rule = ParseMountRule(text).value();  // as ParseConfig has accepted
    const std::string_view hidden =
        rule.is_pattern ? std::string_view() : FindMountRule(config, rule.target).hidden;
    if (!hidden.empty()) {
      return Complain("embeds the file ", hidden, ", which the mount ", text,
                      " would hide; change one of them");
    }
  }
  return {};
}

Result<nsgx_signature, Complaint> MakeSignature(const Sha256::Digest& identity,
                                                const nsgx_config& config, const RsaPrivateKey& key,
                                                uint32_t date) {
  nsgx_signature signature = {};
  signature.magic = NSGX_SIGNATURE_MAGIC;
  signature.version = NSGX_SIGNATURE_VERSION;
  signature.date = date;
  std::memcpy(signature.identity, identity.data(), identity.size());
  signature.attributes = config.attributes;
  signature.attribute_mask = NSGX_ATTRIBUTE_ALL;
  signature.product_id = config.product_id;
  signature.svn = config.svn;
  std::memcpy(signature.modulus, key.modulus().data(), key.modulus().size());
  const RsaSignature number =
      TRY(SignDeterministically(key, SignedDigest(signature)).transform_error([](Status status) {
        return Complaint::Of("cannot be signed (", status, "); try again");
      }));
  std::memcpy(signature.signature, number.data(), number.size());
  return signature;
}

}  // namespace

Result<std::vector<std::byte>, Complaint> SignImage(std::span<const std::byte> input,
                                                    const LaunchConfig& config,
                                                    const RsaPrivateKey& key, uint32_t date,
                                                    std::span<const FileToEmbed> files) {
  Bytes file(input.begin(), input.end());
  {
    const Image image = TRY(Image::Parse(input).transform_error(ToComplaint));
    const auto host_calls = TRY(image.HostCalls().transform_error(ToComplaint));
    const std::vector<std::string> embedded = TRY(PlaceFiles(file, image, files));
    const FilePart part = image.config_part();
    TRY(EncodeLaunchConfig(config, host_calls, embedded,
                           std::span(file).subspan(part.file_offset, part.size)));
  }
  // The table of headers may have moved, and it is loaded with the ELF header: measured is what the
  // file holds now.
  const Image image = TRY(Image::Parse(file).transform_error(ToComplaint));
  const ConfigView view = TRY(image.Config().transform_error(ToComplaint));
  TRY(CheckMounts(view));
  const FilePart part = image.signature_part();
  if (part.size != sizeof(nsgx_signature)) {
    return Complain(Refusal{Cause::kSignatureSize});
  }
  const Sha256::Digest identity = image.Identity();
  const nsgx_signature signature = TRY(MakeSignature(identity, view.config(), key, date));
  CHECK(CheckSignature(signature, identity, view.config()).ok());
  std::memcpy(file.data() + part.file_offset, &signature, sizeof(signature));
  return file;
}

}  // namespace nsgx::loader
