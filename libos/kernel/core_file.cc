// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/core_file.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "base/core/bytes.h"
#include "libos/host/host.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/panic.h"
#include "libos/kernel/process.h"
#include "libos/kernel/user_memory.h"
#include "libos/mm/address_space.h"
#include "libos/mm/space_limit.h"

namespace nsgx::libos {
namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kMaxSegments = 4096;
constexpr uint64_t kFxsaveSize = 512;
constexpr uint32_t kNoteSigInfo = 0x53494749;

constinit bool is_enabled = false;

// struct elf_prstatus of Linux.
struct ThreadStatus {
  int32_t signal, code, error;
  uint32_t current_signal;
  uint64_t pending, blocked;
  int32_t pid, parent, group, session;
  uint64_t times[8];
  // struct user_regs_struct
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, call;
  uint64_t rip, cs, rflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
  uint64_t has_fpu_state;
};
static_assert(sizeof(ThreadStatus) == 336);

ThreadStatus StatusOf(const SignalInfo& info, const nsgx_frame& frame) {
  constexpr uint64_t kProgramCode = 0x33, kProgramData = 0x2b;
  ThreadStatus status = {};
  status.signal = info.signal;
  status.code = info.code;
  status.current_signal = static_cast<uint32_t>(info.signal);
  status.pid = CurrentThread().tid;
  status.group = status.session = kProcessId;
  status.r15 = frame.r15;
  status.r14 = frame.r14;
  status.r13 = frame.r13;
  status.r12 = frame.r12;
  status.rbp = frame.rbp;
  status.rbx = frame.rbx;
  status.r11 = frame.r11;
  status.r10 = frame.r10;
  status.r9 = frame.r9;
  status.r8 = frame.r8;
  status.rax = frame.rax;
  status.rcx = frame.rcx;
  status.rdx = frame.rdx;
  status.rsi = frame.rsi;
  status.rdi = frame.rdi;
  status.call = ~uint64_t{0};  // in no system call that could be made again
  status.rip = frame.rip;
  status.cs = kProgramCode;
  status.rflags = frame.rflags;
  status.rsp = frame.rsp;
  status.ss = kProgramData;
  status.fs_base = frame.fs_base;
  status.has_fpu_state = 1;
  return status;
}

// What nsgx-run writes into the file, in the order in which it is given or not.
class CoreFile {
 public:
  void Put(uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      std::array<char, 1024> piece;
      const size_t size = std::min(bytes.size(), piece.size() - sizeof(offset));
      memcpy(piece.data(), &offset, sizeof(offset));
      memcpy(piece.data() + sizeof(offset), bytes.data(), size);
      host::Log(host::LogLevel::kCore, std::span(piece).first(sizeof(offset) + size));
      offset += size;
      bytes = bytes.subspan(size);
    }
  }

  void PutNote(uint32_t type, std::span<const std::byte> bytes) {
    static constexpr char kName[8] = "CORE";
    const Elf64_Nhdr header = {
        .n_namesz = 5, .n_descsz = static_cast<Elf64_Word>(bytes.size()), .n_type = type};
    Put(notes_end_, std::as_bytes(std::span(&header, 1)));
    Put(notes_end_ + sizeof(header), std::as_bytes(std::span(kName)));
    Put(notes_end_ + sizeof(header) + sizeof(kName), bytes);
    notes_end_ += (sizeof(header) + sizeof(kName) + bytes.size() + 3) & ~uint64_t{3};
  }

  // Memory of the enclave. `is_program`: of a mapping, which is not to be given pages by this.
  void PutMemory(uint64_t begin, uint64_t end, uint32_t flags, bool is_program) {
    if (segments_ == kMaxSegments || begin >= end) {
      return;
    }
    PutHeader({.p_type = PT_LOAD,
               .p_flags = flags,
               .p_offset = data_end_,
               .p_vaddr = begin,
               .p_paddr = 0,
               .p_filesz = end - begin,
               .p_memsz = end - begin,
               .p_align = kPage});
    alignas(64) static constinit std::array<std::byte, kPage> page = {};
    for (uint64_t address = begin; address < end; address += kPage) {
      if ((!is_program || Memory().IsResident(address).value_or(false)) &&
          CopyFromUser(page, address).ok() &&
          std::ranges::any_of(page, [](std::byte byte) { return byte != std::byte{0}; })) {
        Put(data_end_ + (address - begin), page);
      }
    }
    data_end_ += end - begin;
  }

  // Last: the header says how much there is. The file has its full size even if its end is a hole.
  void Finish() {
    PutHeader({.p_type = PT_NOTE,
               .p_flags = 0,
               .p_offset = kNotes,
               .p_vaddr = 0,
               .p_paddr = 0,
               .p_filesz = notes_end_ - kNotes,
               .p_memsz = 0,
               .p_align = 4});
    Elf64_Ehdr header = {};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_CORE;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof(header);
    header.e_ehsize = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<Elf64_Half>(segments_);
    Put(data_end_ - 1, std::array{std::byte{0}});
    Put(0, std::as_bytes(std::span(&header, 1)));
  }

 private:
  static constexpr uint64_t kNotes = sizeof(Elf64_Ehdr) + (kMaxSegments + 1) * sizeof(Elf64_Phdr);
  static constexpr uint64_t kRoomForNotes = 4 * kPage;
  static constexpr uint64_t kData = (kNotes + kRoomForNotes + kPage - 1) & ~(kPage - 1);

  void PutHeader(const Elf64_Phdr& header) {
    Put(sizeof(Elf64_Ehdr) + segments_++ * sizeof(header), std::as_bytes(std::span(&header, 1)));
  }

  size_t segments_ = 0;
  uint64_t notes_end_ = kNotes;
  uint64_t data_end_ = kData;
};

uint32_t FlagsOf(gate::Rights rights) {
  return rights == gate::Rights::kReadExecute ? PF_R | PF_X
         : rights == gate::Rights::kRead      ? PF_R
                                              : PF_R | PF_W;
}

}  // namespace

void EnableCoreFile() { is_enabled = true; }

void WriteCoreFile(const SignalInfo& info, const nsgx_frame& frame) {
  if (!is_enabled) {
    return;
  }
  CoreFile core;
  const ThreadStatus status = StatusOf(info, frame);
  core.PutNote(NT_PRSTATUS, BytesOf(status));
  core.PutNote(NT_FPREGSET, std::as_bytes(std::span(frame.xsave).first(kFxsaveSize)));
  core.PutNote(kNoteSigInfo, std::as_bytes(std::span(&info, 1)));
  core.PutNote(NT_AUXV, BytesOf(Program().auxiliary));

  const AddressRange image = ImageRange();
  core.PutMemory(image.base, image.base + image.size, PF_R | PF_W | PF_X, false);
  AddressSpace::Mapping mapping = {};
  for (uint64_t at = 0; Memory().NextMapping(at, &mapping); at = mapping.end) {
    if (mapping.rights != gate::Rights::kNone) {
      core.PutMemory(mapping.begin, mapping.end, FlagsOf(mapping.rights), true);
    }
  }
  core.PutMemory(Space().program_limit(), Memory().end(), PF_R | PF_W, false);
  core.Finish();
}

}  // namespace nsgx::libos
