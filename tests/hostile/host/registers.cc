// SPDX-License-Identifier: Apache-2.0
// Puts words into every register that an enclave has, and leaves ring 3 with them there in each way
// that there is: by an interrupt, by #VC (CPUID), by a call of the SEH, by a call that leaves. The
// hostile monitor looks for the words (secret_watch.h). Says whether the enclave still has those
// that it must still have.
#include <stdio.h>
#include <string.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace {

// Not in the image as it is in registers.
constexpr uint64_t kMask = 0x5a5a5a5a5a5a5a5a;
constexpr uint64_t kMasked = 0x5ec2e7ca7a120000;
constexpr uint64_t kGateAddress = uint64_t{1} << 39;
constexpr uint64_t kGateWake = 2;
constexpr uint64_t kGateEntropy = 20;

// Registers in the order of `general` below, then those of SSE and x87.
struct Registers {
  uint64_t general[15];
  uint64_t count;  // of turns in place
  alignas(16) uint64_t xmm[16][2];
  uint64_t mmx[8];
  uint32_t mxcsr;
  uint16_t control;
};

enum General { kRax, kRbx, kRcx, kRdx, kRsi, kRdi, kRbp, kR8 };

Registers g_in;
Registers g_out;

}  // namespace

// Named by the assembly below.
extern "C" {
[[gnu::used]] Registers* g_input = &g_in;
[[gnu::used]] Registers* g_output = &g_out;
[[gnu::used]] uint64_t g_call = 0;
}

namespace {

void Fill(uint64_t round) {
  memset(&g_in, 0, sizeof(g_in));
  const volatile uint64_t masked = kMasked;
  uint64_t word = (masked ^ (kMask & ~uint64_t{0xffff})) + (round << 8);
  for (uint64_t& value : g_in.general) {
    value = word++;
  }
  for (auto& value : g_in.xmm) {
    value[0] = word++;
    value[1] = word++;
  }
  for (uint64_t& value : g_in.mmx) {
    value = word++;
  }
  g_in.mxcsr = 0x7fa0;    // rounds to zero, has seen an inexact result
  g_in.control = 0x0e7f;  // rounds to zero, 53 bits
}

// Loads everything from g_input, does `instructions`, stores everything to g_output. rsp and the C
// compiler's registers are put back.
#define WITH_ALL_REGISTERS(instructions)                                                          \
  asm volatile(                                                                                   \
      "pushq %%rbp\n pushq %%rbx\n pushq %%r12\n pushq %%r13\n pushq %%r14\n pushq %%r15\n"       \
      "movq g_input(%%rip), %%rax\n"                                                              \
      "ldmxcsr 448(%%rax)\n fninit\n fldcw 452(%%rax)\n"                                          \
      "movaps 128(%%rax), %%xmm0\n movaps 144(%%rax), %%xmm1\n movaps 160(%%rax), %%xmm2\n"       \
      "movaps 176(%%rax), %%xmm3\n movaps 192(%%rax), %%xmm4\n movaps 208(%%rax), %%xmm5\n"       \
      "movaps 224(%%rax), %%xmm6\n movaps 240(%%rax), %%xmm7\n movaps 256(%%rax), %%xmm8\n"       \
      "movaps 272(%%rax), %%xmm9\n movaps 288(%%rax), %%xmm10\n movaps 304(%%rax), %%xmm11\n"     \
      "movaps 320(%%rax), %%xmm12\n movaps 336(%%rax), %%xmm13\n movaps 352(%%rax), %%xmm14\n"    \
      "movaps 368(%%rax), %%xmm15\n"                                                              \
      "movq 384(%%rax), %%mm0\n movq 392(%%rax), %%mm1\n movq 400(%%rax), %%mm2\n"                \
      "movq 408(%%rax), %%mm3\n movq 416(%%rax), %%mm4\n movq 424(%%rax), %%mm5\n"                \
      "movq 432(%%rax), %%mm6\n movq 440(%%rax), %%mm7\n"                                         \
      "movq 8(%%rax), %%rbx\n movq 16(%%rax), %%rcx\n movq 24(%%rax), %%rdx\n"                    \
      "movq 32(%%rax), %%rsi\n movq 40(%%rax), %%rdi\n movq 48(%%rax), %%rbp\n"                   \
      "movq 56(%%rax), %%r8\n movq 64(%%rax), %%r9\n movq 72(%%rax), %%r10\n"                     \
      "movq 80(%%rax), %%r11\n movq 88(%%rax), %%r12\n movq 96(%%rax), %%r13\n"                   \
      "movq 104(%%rax), %%r14\n movq 112(%%rax), %%r15\n movq (%%rax), %%rax\n" instructions      \
      "pushq %%rax\n movq g_output(%%rip), %%rax\n popq (%%rax)\n"                                \
      "movq %%rbx, 8(%%rax)\n movq %%rcx, 16(%%rax)\n movq %%rdx, 24(%%rax)\n"                    \
      "movq %%rsi, 32(%%rax)\n movq %%rdi, 40(%%rax)\n movq %%rbp, 48(%%rax)\n"                   \
      "movq %%r8, 56(%%rax)\n movq %%r9, 64(%%rax)\n movq %%r10, 72(%%rax)\n"                     \
      "movq %%r11, 80(%%rax)\n movq %%r12, 88(%%rax)\n movq %%r13, 96(%%rax)\n"                   \
      "movq %%r14, 104(%%rax)\n movq %%r15, 112(%%rax)\n"                                         \
      "movaps %%xmm0, 128(%%rax)\n movaps %%xmm1, 144(%%rax)\n movaps %%xmm2, 160(%%rax)\n"       \
      "movaps %%xmm3, 176(%%rax)\n movaps %%xmm4, 192(%%rax)\n movaps %%xmm5, 208(%%rax)\n"       \
      "movaps %%xmm6, 224(%%rax)\n movaps %%xmm7, 240(%%rax)\n movaps %%xmm8, 256(%%rax)\n"       \
      "movaps %%xmm9, 272(%%rax)\n movaps %%xmm10, 288(%%rax)\n movaps %%xmm11, 304(%%rax)\n"     \
      "movaps %%xmm12, 320(%%rax)\n movaps %%xmm13, 336(%%rax)\n movaps %%xmm14, 352(%%rax)\n"    \
      "movaps %%xmm15, 368(%%rax)\n"                                                              \
      "movq %%mm0, 384(%%rax)\n movq %%mm1, 392(%%rax)\n movq %%mm2, 400(%%rax)\n"                \
      "movq %%mm3, 408(%%rax)\n movq %%mm4, 416(%%rax)\n movq %%mm5, 424(%%rax)\n"                \
      "movq %%mm6, 432(%%rax)\n movq %%mm7, 440(%%rax)\n"                                         \
      "stmxcsr 448(%%rax)\n fnstcw 452(%%rax)\n"                                                  \
      "fninit\n movl $0x1f80, -4(%%rsp)\n ldmxcsr -4(%%rsp)\n"                                    \
      "popq %%r15\n popq %%r14\n popq %%r13\n popq %%r12\n popq %%rbx\n popq %%rbp\n"             \
      :                                                                                           \
      :                                                                                           \
      : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0",      \
        "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", \
        "xmm12", "xmm13", "xmm14", "xmm15")

static_assert(offsetof(Registers, xmm) == 128 && offsetof(Registers, mmx) == 384 &&
              offsetof(Registers, mxcsr) == 448 && offsetof(Registers, control) == 452);

// In place until many turns have ended. The counter is in memory: no register is free.
__attribute__((noinline)) void Spin() {
  g_call = 30'000'000;
  WITH_ALL_REGISTERS("1: decq g_call(%%rip)\n jnz 1b\n");
}

// rax and rcx name a leaf; four registers are the answer.
__attribute__((noinline)) void Cpuid() { WITH_ALL_REGISTERS("cpuid\n"); }

// A call of the gate page with words everywhere but in its arguments.
__attribute__((noinline)) void Call() { WITH_ALL_REGISTERS("callq *g_call(%%rip)\n"); }

bool SameButFor(std::initializer_list<int> changed) {
  for (const int index : changed) {
    g_out.general[index] = g_in.general[index];
  }
  return memcmp(g_in.general, g_out.general, sizeof(g_in.general)) == 0 &&
         memcmp(g_in.xmm, g_out.xmm, sizeof(g_in.xmm)) == 0 &&
         memcmp(g_in.mmx, g_out.mmx, sizeof(g_in.mmx)) == 0 && g_in.mxcsr == g_out.mxcsr &&
         g_in.control == g_out.control;
}

// After a call of the gate: what the C convention keeps, and nothing else.
bool AsAfterACall() {
  bool good = g_out.mxcsr == g_in.mxcsr && g_out.control == g_in.control;
  for (const auto& value : g_out.xmm) {
    good = good && value[0] == 0 && value[1] == 0;
  }
  for (const int kept : {int{kRbx}, int{kRbp}, 11, 12, 13, 14}) {
    good = good && g_out.general[kept] == g_in.general[kept];
  }
  for (const int lost : {int{kRcx}, int{kRdx}, int{kRsi}, int{kRdi}, int{kR8}, 8, 9, 10}) {
    good = good && g_out.general[lost] == 0;
  }
  return good;
}

void Say(const char* what, bool good) { printf("%s %s\n", what, good ? "as it should" : "WRONG"); }

}  // namespace

int main() {
  Fill(0);
  Spin();
  Say("interrupts", SameButFor({}));

  Fill(1);
  g_in.general[kRax] = 0;
  Cpuid();
  Say("cpuid", SameButFor({kRax, kRbx, kRcx, kRdx}));

  uint64_t random = 0;
  Fill(2);
  g_call = kGateAddress;
  g_in.general[kRdi] = kGateEntropy;
  g_in.general[kRsi] = reinterpret_cast<uintptr_t>(&random);
  g_in.general[kRdx] = sizeof(random);
  Call();
  Say("call of the SEH", AsAfterACall() && random != 0);

  Fill(3);
  g_call = kGateAddress;
  g_in.general[kRdi] = kGateWake;
  g_in.general[kRsi] = 0;
  Call();
  Say("call that leaves", AsAfterACall());
}
