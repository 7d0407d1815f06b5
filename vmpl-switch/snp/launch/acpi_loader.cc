// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/launch/acpi_loader.h"

#include <algorithm>

#include "base/core/bytes.h"
#include "base/core/mem_raw.h"

namespace nsgx::snp {
namespace {

constexpr std::string_view kScript = "etc/table-loader";
constexpr std::string_view kRsdp = "etc/acpi/rsdp";

// Steps, little-endian, 128 bytes each.
constexpr uint32_t kAllocate = 1;
constexpr uint32_t kAddPointer = 2;
constexpr uint32_t kAddChecksum = 3;
constexpr uint32_t kWritePointer = 4;
constexpr size_t kMaxSteps = 1024;

std::string_view TextOf(std::span<const char> name) {
  size_t size = 0;
  while (size < name.size() && name[size] != '\0') {
    ++size;
  }
  return {name.data(), size};
}

// A little-endian number of 1, 2, 4 or 8 bytes.
bool IsNumberSize(uint8_t size) { return size == 1 || size == 2 || size == 4 || size == 8; }
uint64_t LoadNumber(std::span<const std::byte> field) {
  uint64_t value = 0;
  CopyOnce(&value, field.data(), field.size());
  return value;
}
void StoreNumber(std::span<std::byte> field, uint64_t value) {
  CopyOnce(field.data(), &value, field.size());
}

}  // namespace

struct AcpiLoader::Step {
  uint32_t command;
  std::array<std::byte, 124> arguments;

  Name name(size_t offset) const {
    Name name;
    CopyOnce(name.data(), arguments.data() + offset, name.size());
    return name;
  }
  uint32_t number(size_t offset) const {
    uint32_t value;
    CopyOnce(&value, arguments.data() + offset, sizeof(value));
    return value;
  }
  uint8_t byte(size_t offset) const { return std::to_integer<uint8_t>(arguments[offset]); }
};

AcpiLoader::AcpiLoader(FwCfg& fw_cfg, const GuestPageRange& area, std::span<std::byte> memory)
    : fw_cfg_(fw_cfg), area_(area), memory_(memory) {
  CHECK(memory.size() == area.size());
}

Result<const AcpiLoader::File*> AcpiLoader::Find(const Name& name) const {
  for (const File& file : files_) {
    if (TextOf(file.name) == TextOf(name)) {
      return &file;
    }
  }
  return Error(Status::kMalformed);
}

Result<std::span<std::byte>> AcpiLoader::Field(const File& file, uint64_t offset,
                                               uint64_t size) const {
  const Result<std::span<std::byte>> field =
      MutableSlice(memory_.subspan(file.offset, file.size), offset, size);
  if (!field.ok()) {
    return Error(Status::kMalformed);
  }
  return field.value();
}

// file, alignment u32, zone u8
Result<void> AcpiLoader::Allocate(const Step& step) {
  const Name name = step.name(0);
  const uint32_t alignment = step.number(kNameSize);
  if (!std::has_single_bit(alignment) || alignment > area_.size() || Find(name).ok()) {
    return Error(Status::kMalformed);
  }
  const FwCfgFile source = TRY(fw_cfg_.Find(TextOf(name)));
  // The area starts at a page; what wants more gets it by luck or not at all.
  const uint64_t start =
      TRY(CheckedAlignUp(area_.address() + used_, uint64_t{alignment})) - area_.address();
  const std::span<std::byte> target = TRY(MutableSlice(memory_.first(limit_), start, source.size));
  TRY(fw_cfg_.Select(source));
  TRY(fw_cfg_.ReadNext(target));
  if (!files_.PushBack(File{name, start, source.size}).ok()) {
    return Error(Status::kMalformed);
  }
  used_ = start + source.size;
  return {};
}

// file to change, file pointed to, offset u32, size u8
Result<void> AcpiLoader::AddPointer(const Step& step) {
  const File* target = TRY(Find(step.name(0)));
  const File* source = TRY(Find(step.name(kNameSize)));
  const uint8_t size = step.byte(2 * kNameSize + 4);
  if (!IsNumberSize(size)) {
    return Error(Status::kMalformed);
  }
  const std::span<std::byte> field = TRY(Field(*target, step.number(2 * kNameSize), size));
  StoreNumber(field, LoadNumber(field) + area_.address().raw() + source->offset);
  return {};
}

// file, offset u32, start u32, length u32
Result<void> AcpiLoader::AddChecksum(const Step& step) {
  const File* file = TRY(Find(step.name(0)));
  const std::span<std::byte> field = TRY(Field(*file, step.number(kNameSize), 1));
  uint8_t sum = 0;
  for (const std::byte byte :
       TRY(Field(*file, step.number(kNameSize + 4), step.number(kNameSize + 8)))) {
    sum = static_cast<uint8_t>(sum + std::to_integer<uint8_t>(byte));
  }
  field[0] = static_cast<std::byte>(std::to_integer<uint8_t>(field[0]) - sum);
  return {};
}

// file of the device to change, file pointed to, offset there u32, offset here u32, size u8
Result<void> AcpiLoader::WritePointer(const Step& step) {
  const FwCfgFile target = TRY(fw_cfg_.Find(TextOf(step.name(0))));
  const File* source = TRY(Find(step.name(kNameSize)));
  const uint32_t offset = step.number(2 * kNameSize);
  const uint32_t source_offset = step.number(2 * kNameSize + 4);
  const uint8_t size = step.byte(2 * kNameSize + 8);
  if (!IsNumberSize(size) || offset > target.size || size > target.size - offset ||
      source_offset > source->size) {
    return Error(Status::kMalformed);
  }
  uint64_t pointer = area_.address().raw() + source->offset + source_offset;
  return fw_cfg_.Write(target, offset, MutableBytesOf(pointer).first(size));
}

Result<GuestPhys> AcpiLoader::Load() {
  const FwCfgFile script = TRY(fw_cfg_.Find(kScript));
  static_assert(sizeof(Step) == 128);
  const size_t count = script.size / sizeof(Step);
  if (count > kMaxSteps) {
    return Error(Status::kMalformed);
  }
  // The steps read other files: the script is kept at the end of the area until they are done.
  const uint64_t script_size = count * sizeof(Step);
  if (script_size > area_.size()) {
    return Error(Status::kOutOfRange);
  }
  const std::span<std::byte> steps = memory_.last(script_size);
  TRY(fw_cfg_.Select(script));
  TRY(fw_cfg_.ReadNext(steps));
  limit_ = area_.size() - script_size;
  ByteReader reader(steps);
  for (size_t i = 0; i < count; ++i) {
    const Step step = TRY(reader.ReadObject<Step>());
    switch (step.command) {
      case kAllocate:
        TRY(Allocate(step));
        break;
      case kAddPointer:
        TRY(AddPointer(step));
        break;
      case kAddChecksum:
        TRY(AddChecksum(step));
        break;
      case kWritePointer:
        TRY(WritePointer(step));
        break;
      default:
        // Steps of other machines are to be passed over; 0 fills up.
        break;
    }
  }
  FillOnce(steps.data(), std::byte{0}, steps.size());
  for (const File& file : files_) {
    if (TextOf(file.name) == kRsdp) {
      return area_.address() + file.offset;
    }
  }
  return Error(Status::kNotFound);
}

}  // namespace nsgx::snp
