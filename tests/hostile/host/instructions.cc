// SPDX-License-Identifier: Apache-2.0
// Executes instructions that are not a program's, and says what came of each: "ran", or the signal.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kRoom = 16;  // for one of them
constexpr uint8_t kReturn = 0xc3;

struct Row {
  const char* name;
  std::initializer_list<uint8_t> bytes;
};

const Row kRows[] = {
    {"cpuid", {0x0f, 0xa2}},
    {"rdtsc", {0x0f, 0x31}},
    {"rdtscp", {0x0f, 0x01, 0xf9}},
    {"vmgexit", {0xf3, 0x0f, 0x01, 0xd9}},
    {"vmgexit.other_prefix", {0xf2, 0x0f, 0x01, 0xd9}},
    {"vmmcall", {0x0f, 0x01, 0xd9}},
    {"vmcall", {0x0f, 0x01, 0xc1}},
    {"pvalidate", {0xf2, 0x0f, 0x01, 0xff}},
    {"rmpadjust", {0xf3, 0x0f, 0x01, 0xfe}},
    {"rmpquery", {0xf3, 0x0f, 0x01, 0xfd}},
    {"vmrun", {0x0f, 0x01, 0xd8}},
    {"vmload", {0x0f, 0x01, 0xda}},
    {"stgi", {0x0f, 0x01, 0xdc}},
    {"clgi", {0x0f, 0x01, 0xdd}},
    {"invlpga", {0x0f, 0x01, 0xdf}},
    {"in", {0xec}},
    {"out", {0xee}},
    {"ins", {0x6c}},
    {"rdmsr", {0x0f, 0x32}},
    {"wrmsr", {0x0f, 0x30}},
    {"rdpmc", {0x0f, 0x33}},
    {"hlt", {0xf4}},
    {"monitor", {0x0f, 0x01, 0xc8}},
    {"mwait", {0x0f, 0x01, 0xc9}},
    {"pause", {0xf3, 0x90}},
    {"xsetbv", {0x0f, 0x01, 0xd1}},
    {"cli", {0xfa}},
    {"sti", {0xfb}},
    {"clts", {0x0f, 0x06}},
    {"lmsw", {0x0f, 0x01, 0xf0}},
    {"mov_from_cr3", {0x0f, 0x20, 0xd8}},
    {"mov_to_cr0", {0x0f, 0x22, 0xc0}},
    {"mov_to_cr4", {0x0f, 0x22, 0xe0}},
    {"mov_to_dr7", {0x0f, 0x23, 0xf8}},
    {"invlpg", {0x0f, 0x01, 0x38}},
    {"invd", {0x0f, 0x08}},
    {"wbinvd", {0x0f, 0x09}},
    {"swapgs", {0x0f, 0x01, 0xf8}},
    {"sysret", {0x48, 0x0f, 0x07}},
    {"lgdt", {0x0f, 0x01, 0x17}},
    {"lidt", {0x0f, 0x01, 0x1f}},
    {"ltr", {0x0f, 0x00, 0xd8}},
    {"lldt", {0x0f, 0x00, 0xd0}},
    {"stac", {0x0f, 0x01, 0xcb}},
    {"int3", {0xcc}},
    {"icebp", {0xf1}},
    {"int_0x80", {0xcd, 0x80}},
    {"int_page_fault", {0xcd, 0x0e}},
    {"int_hv", {0xcd, 0x1c}},
    {"int_vc", {0xcd, 0x1d}},
    {"int_0x20", {0xcd, 0x20}},
    {"sysenter", {0x0f, 0x34}},
    {"ud2", {0x0f, 0x0b}},
    {"encls", {0x0f, 0x01, 0xcf}},
    {"invlpgb", {0x0f, 0x01, 0xfe}},
};

sigjmp_buf g_back;

void OnSignal(int number) { siglongjmp(g_back, number); }

void Run(const std::byte* code) {
  uint64_t rax = 0, rcx = 0, rdx = 0;
  const std::byte* rdi = code;
  asm volatile("callq *%[code]"
               : "+a"(rax), "+c"(rcx), "+d"(rdx), "+D"(rdi)
               : [code] "r"(code)
               : "rbx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
}

}  // namespace

int main() {
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS}) {
    signal(number, OnSignal);
  }
  constexpr size_t kSize = kPage * 2;
  static_assert(sizeof(kRows) / sizeof(kRows[0]) * kRoom <= kSize);
  auto* const memory = static_cast<std::byte*>(
      mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (memory == MAP_FAILED) {
    perror("mmap");
    return 1;
  }
  std::byte* code = memory;
  for (const Row& row : kRows) {
    memcpy(code, row.bytes.begin(), row.bytes.size());
    code[row.bytes.size()] = std::byte{kReturn};
    code += kRoom;
  }
  if (mprotect(memory, kSize, PROT_READ | PROT_EXEC) != 0) {
    perror("mprotect");
    return 1;
  }
  code = memory;
  for (const Row& row : kRows) {
    const int number = sigsetjmp(g_back, 1);
    if (number == 0) {
      Run(code);
      printf("%s ran\n", row.name);
    } else {
      printf("%s signal %d\n", row.name, number);
    }
    fflush(stdout);
    code += kRoom;
  }
}
