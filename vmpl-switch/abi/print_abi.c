/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the layout of every struct that crosses a boundary, and the numbers that go with them. */
#include "vmpl-switch/abi/print_abi.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/image.h"
#include "vmpl-switch/abi/report.h"
#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/abi/snp_report.h"
#include "vmpl-switch/abi/status.h"

static void PrintImage(void) {
  NUMBER(NSGX_CONFIG_MAGIC);
  NUMBER(NSGX_CONFIG_VERSION);
  NUMBER(NSGX_MEASURE_MAGIC);
  NUMBER(NSGX_MEASURE_VERSION);
  NUMBER(NSGX_SIGNATURE_MAGIC);
  NUMBER(NSGX_SIGNATURE_VERSION);
  NUMBER(NSGX_ATTRIBUTE_DEBUG);
  NUMBER(NSGX_ATTRIBUTE_ANY_ARGS);
  NUMBER(NSGX_ATTRIBUTE_ANY_ENV);
  NUMBER(NSGX_ATTRIBUTE_HOST_SIGTERM);
  NUMBER(NSGX_ATTRIBUTE_ALL);
  NUMBER(NSGX_PAGE_DATA);
  NUMBER(NSGX_PAGE_ZERO_RUN);
  NUMBER(NSGX_PERMISSION_READ);
  NUMBER(NSGX_PERMISSION_WRITE);
  NUMBER(NSGX_PERMISSION_EXECUTE);
  STRUCT(nsgx_string_list);
  FIELD(nsgx_string_list, offset);
  FIELD(nsgx_string_list, size);
  FIELD(nsgx_string_list, count);
  FIELD(nsgx_string_list, reserved);
  STRUCT(nsgx_config);
  FIELD(nsgx_config, magic);
  FIELD(nsgx_config, version);
  FIELD(nsgx_config, size);
  FIELD(nsgx_config, address_range_size);
  FIELD(nsgx_config, attributes);
  FIELD(nsgx_config, max_vcpus);
  FIELD(nsgx_config, product_id);
  FIELD(nsgx_config, svn);
  FIELD(nsgx_config, main_stack_size);
  FIELD(nsgx_config, host_calls);
  FIELD(nsgx_config, env_allow);
  FIELD(nsgx_config, env_fixed);
  FIELD(nsgx_config, args_fixed);
  FIELD(nsgx_config, mounts);
  FIELD(nsgx_config, files);
  FIELD(nsgx_config, reserved);
  STRUCT(nsgx_measure_header);
  FIELD(nsgx_measure_header, magic);
  FIELD(nsgx_measure_header, version);
  FIELD(nsgx_measure_header, page_size);
  FIELD(nsgx_measure_header, image_size);
  FIELD(nsgx_measure_header, entry);
  FIELD(nsgx_measure_header, config_offset);
  FIELD(nsgx_measure_header, config_size);
  FIELD(nsgx_measure_header, config_sha256);
  STRUCT(nsgx_measure_record);
  FIELD(nsgx_measure_record, offset);
  FIELD(nsgx_measure_record, type);
  FIELD(nsgx_measure_record, permissions);
  FIELD(nsgx_measure_record, u.sha256);
  FIELD(nsgx_measure_record, u.run.page_count);
  FIELD(nsgx_measure_record, u.run.reserved);
  STRUCT(nsgx_signature);
  FIELD(nsgx_signature, magic);
  FIELD(nsgx_signature, version);
  FIELD(nsgx_signature, date);
  FIELD(nsgx_signature, identity);
  FIELD(nsgx_signature, attributes);
  FIELD(nsgx_signature, attribute_mask);
  FIELD(nsgx_signature, product_id);
  FIELD(nsgx_signature, svn);
  FIELD(nsgx_signature, reserved);
  FIELD(nsgx_signature, modulus);
  FIELD(nsgx_signature, signature);
}

static void PrintSlot(void) {
  STRUCT(nsgx_slot);
  FIELD(nsgx_slot, self);
  FIELD(nsgx_slot, gate);
  FIELD(nsgx_slot, index);
  FIELD(nsgx_slot, reserved0);
  FIELD(nsgx_slot, boot);
  FIELD(nsgx_slot, frame);
  FIELD(nsgx_slot, window);
  FIELD(nsgx_slot, window_size);
  FIELD(nsgx_slot, irq_off);
  FIELD(nsgx_slot, pending);
  FIELD(nsgx_slot, in_exception);
  FIELD(nsgx_slot, reserved1);
  FIELD(nsgx_slot, machine);
  FIELD(nsgx_slot, libos);
  STRUCT(nsgx_frame);
  FIELD(nsgx_frame, r8);
  FIELD(nsgx_frame, r9);
  FIELD(nsgx_frame, r10);
  FIELD(nsgx_frame, r11);
  FIELD(nsgx_frame, r12);
  FIELD(nsgx_frame, r13);
  FIELD(nsgx_frame, r14);
  FIELD(nsgx_frame, r15);
  FIELD(nsgx_frame, rdi);
  FIELD(nsgx_frame, rsi);
  FIELD(nsgx_frame, rbp);
  FIELD(nsgx_frame, rbx);
  FIELD(nsgx_frame, rdx);
  FIELD(nsgx_frame, rax);
  FIELD(nsgx_frame, rcx);
  FIELD(nsgx_frame, rsp);
  FIELD(nsgx_frame, rip);
  FIELD(nsgx_frame, rflags);
  FIELD(nsgx_frame, cause);
  FIELD(nsgx_frame, error_code);
  FIELD(nsgx_frame, address);
  FIELD(nsgx_frame, fs_base);
  FIELD(nsgx_frame, xsave_size);
  FIELD(nsgx_frame, reserved);
  FIELD(nsgx_frame, xsave);
}

static void PrintBoot(void) {
  STRUCT(nsgx_boot);
  FIELD(nsgx_boot, magic);
  FIELD(nsgx_boot, version);
  FIELD(nsgx_boot, machine);
  FIELD(nsgx_boot, base);
  FIELD(nsgx_boot, address_range_size);
  FIELD(nsgx_boot, image_size);
  FIELD(nsgx_boot, heap);
  FIELD(nsgx_boot, config);
  FIELD(nsgx_boot, config_size);
  FIELD(nsgx_boot, args);
  FIELD(nsgx_boot, args_size);
  FIELD(nsgx_boot, vcpus);
  FIELD(nsgx_boot, xsave_size);
  FIELD(nsgx_boot, xcr0);
  FIELD(nsgx_boot, tsc_khz);
  FIELD(nsgx_boot, seed);
  STRUCT(nsgx_args);
  FIELD(nsgx_args, argc);
  FIELD(nsgx_args, envc);
  STRUCT(nsgx_clock);
  FIELD(nsgx_clock, tsc_base);
  FIELD(nsgx_clock, ns_base);
  FIELD(nsgx_clock, multiplier);
}

static void PrintReport(void) {
  STRUCT(nsgx_report_body);
  FIELD(nsgx_report_body, magic);
  FIELD(nsgx_report_body, version);
  FIELD(nsgx_report_body, machine);
  FIELD(nsgx_report_body, identity);
  FIELD(nsgx_report_body, signer);
  FIELD(nsgx_report_body, product_id);
  FIELD(nsgx_report_body, svn);
  FIELD(nsgx_report_body, seh_svn);
  FIELD(nsgx_report_body, attributes);
  FIELD(nsgx_report_body, config_hash);
  FIELD(nsgx_report_body, args_hash);
  FIELD(nsgx_report_body, host_calls_hash);
  FIELD(nsgx_report_body, instance);
  FIELD(nsgx_report_body, report_data);
  FIELD(nsgx_report_body, reserved);
  STRUCT(nsgx_report_request);
  FIELD(nsgx_report_request, target);
  FIELD(nsgx_report_request, report_data);
  STRUCT(nsgx_report);
  FIELD(nsgx_report, body);
  FIELD(nsgx_report, target);
  FIELD(nsgx_report, mac);
  STRUCT(nsgx_key_request);
  FIELD(nsgx_key_request, policy);
  FIELD(nsgx_key_request, svn);
  FIELD(nsgx_key_request, reserved);
  FIELD(nsgx_key_request, key_id);
  STRUCT(nsgx_evidence_core);
  FIELD(nsgx_evidence_core, body);
  FIELD(nsgx_evidence_core, seh_public_key);
  FIELD(nsgx_evidence_core, seh_signature);
  FIELD(nsgx_evidence_core, snp_report);
  STRUCT(nsgx_evidence_header);
  FIELD(nsgx_evidence_header, magic);
  FIELD(nsgx_evidence_header, version);
  FIELD(nsgx_evidence_header, size);
  FIELD(nsgx_evidence_header, certificate_count);
  FIELD(nsgx_evidence_header, reserved);
  STRUCT(snp_report);
  FIELD(snp_report, version);
  FIELD(snp_report, guest_svn);
  FIELD(snp_report, policy);
  FIELD(snp_report, family_id);
  FIELD(snp_report, image_id);
  FIELD(snp_report, vmpl);
  FIELD(snp_report, signature_algorithm);
  FIELD(snp_report, current_tcb);
  FIELD(snp_report, platform_info);
  FIELD(snp_report, key_info);
  FIELD(snp_report, reserved0);
  FIELD(snp_report, report_data);
  FIELD(snp_report, measurement);
  FIELD(snp_report, host_data);
  FIELD(snp_report, id_key_digest);
  FIELD(snp_report, author_key_digest);
  FIELD(snp_report, report_id);
  FIELD(snp_report, report_id_ma);
  FIELD(snp_report, reported_tcb);
  FIELD(snp_report, cpuid_family);
  FIELD(snp_report, cpuid_model);
  FIELD(snp_report, cpuid_stepping);
  FIELD(snp_report, reserved1);
  FIELD(snp_report, chip_id);
  FIELD(snp_report, committed_tcb);
  FIELD(snp_report, current_version);
  FIELD(snp_report, reserved2);
  FIELD(snp_report, committed_version);
  FIELD(snp_report, reserved3);
  FIELD(snp_report, launch_tcb);
  FIELD(snp_report, launch_mitigations);
  FIELD(snp_report, current_mitigations);
  FIELD(snp_report, reserved4);
  FIELD(snp_report, signature_r);
  FIELD(snp_report, signature_s);
  FIELD(snp_report, reserved5);
}

static void PrintNumbers(void) {
  printf("\n");
  NUMBER(NSGX_BOOT_MAGIC);
  NUMBER(NSGX_MACHINE_SIM);
  NUMBER(NSGX_MACHINE_EMU);
  NUMBER(NSGX_MACHINE_SNP);
  NUMBER(NSGX_REPORT_MAGIC);
  NUMBER(NSGX_REPORT_VERSION);
  NUMBER(NSGX_EVIDENCE_MAGIC);
  NUMBER(NSGX_EVIDENCE_VERSION);
  NUMBER(NSGX_KEY_BY_IDENTITY);
  NUMBER(NSGX_KEY_BY_SIGNER);
  NUMBER(NSGX_GATE_HOST_CALL);
  NUMBER(NSGX_GATE_IDLE);
  NUMBER(NSGX_GATE_WAKE);
  NUMBER(NSGX_GATE_DONE);
  NUMBER(NSGX_GATE_COMMIT);
  NUMBER(NSGX_GATE_PROTECT);
  NUMBER(NSGX_GATE_TRIM);
  NUMBER(NSGX_GATE_SET_HANDLER);
  NUMBER(NSGX_GATE_ENTROPY);
  NUMBER(NSGX_GATE_CLOCK);
  NUMBER(NSGX_GATE_REPORT);
  NUMBER(NSGX_GATE_VERIFY);
  NUMBER(NSGX_GATE_KEY);
  NUMBER(NSGX_GATE_EVIDENCE);
  NUMBER(NSGX_SLOT_STRIDE);
  NUMBER(NSGX_SLOT_FRAME_OFFSET);
  NUMBER(NSGX_SLOT_FRAME_SIZE);
  NUMBER(NSGX_SLOT_EXCEPTION_STACK_OFFSET);
  NUMBER(NSGX_SLOT_EXCEPTION_STACK_SIZE);
  NUMBER(NSGX_SLOT_STACK_OFFSET);
  NUMBER(NSGX_SLOT_STACK_SIZE);
  NUMBER(NSGX_OK);
  NUMBER(NSGX_INVALID_ARGUMENT);
  NUMBER(NSGX_BAD_STATE);
  NUMBER(NSGX_NO_MEMORY);
  NUMBER(NSGX_NOT_FOUND);
  NUMBER(NSGX_PERMISSION_DENIED);
  NUMBER(NSGX_ALREADY_EXISTS);
  NUMBER(NSGX_BUSY);
  NUMBER(NSGX_OUT_OF_RANGE);
  NUMBER(NSGX_UNSUPPORTED);
  NUMBER(NSGX_BAD_SIGNATURE);
  NUMBER(NSGX_BAD_MEASUREMENT);
  NUMBER(NSGX_MALFORMED);
  NUMBER(NSGX_ENTROPY_FAILURE);
  NUMBER(NSGX_HOST_FAULT);
  NUMBER(NSGX_INTERNAL);
  NUMBER(NSGX_BAD_TAG);
  NUMBER(NSGX_TIMED_OUT);
  NUMBER(NSGX_INTERRUPTED);
  NUMBER(NSGX_CANCELLED);
}

/* Offsets that assembly uses are written down twice in slot.h. */
#define SAME_OFFSET(constant, type, field) \
  _Static_assert((constant) == offsetof(struct type, field), #constant)
SAME_OFFSET(NSGX_SLOT_SELF, nsgx_slot, self);
SAME_OFFSET(NSGX_SLOT_GATE, nsgx_slot, gate);
SAME_OFFSET(NSGX_SLOT_INDEX, nsgx_slot, index);
SAME_OFFSET(NSGX_SLOT_BOOT, nsgx_slot, boot);
SAME_OFFSET(NSGX_SLOT_FRAME, nsgx_slot, frame);
SAME_OFFSET(NSGX_SLOT_WINDOW, nsgx_slot, window);
SAME_OFFSET(NSGX_SLOT_WINDOW_SIZE, nsgx_slot, window_size);
SAME_OFFSET(NSGX_SLOT_IRQ_OFF, nsgx_slot, irq_off);
SAME_OFFSET(NSGX_SLOT_PENDING, nsgx_slot, pending);
SAME_OFFSET(NSGX_SLOT_IN_EXCEPTION, nsgx_slot, in_exception);
SAME_OFFSET(NSGX_SLOT_MACHINE, nsgx_slot, machine);
SAME_OFFSET(NSGX_SLOT_LIBOS, nsgx_slot, libos);
SAME_OFFSET(NSGX_FRAME_R8, nsgx_frame, r8);
SAME_OFFSET(NSGX_FRAME_R9, nsgx_frame, r9);
SAME_OFFSET(NSGX_FRAME_R10, nsgx_frame, r10);
SAME_OFFSET(NSGX_FRAME_R11, nsgx_frame, r11);
SAME_OFFSET(NSGX_FRAME_R12, nsgx_frame, r12);
SAME_OFFSET(NSGX_FRAME_R13, nsgx_frame, r13);
SAME_OFFSET(NSGX_FRAME_R14, nsgx_frame, r14);
SAME_OFFSET(NSGX_FRAME_R15, nsgx_frame, r15);
SAME_OFFSET(NSGX_FRAME_RDI, nsgx_frame, rdi);
SAME_OFFSET(NSGX_FRAME_RSI, nsgx_frame, rsi);
SAME_OFFSET(NSGX_FRAME_RBP, nsgx_frame, rbp);
SAME_OFFSET(NSGX_FRAME_RBX, nsgx_frame, rbx);
SAME_OFFSET(NSGX_FRAME_RDX, nsgx_frame, rdx);
SAME_OFFSET(NSGX_FRAME_RAX, nsgx_frame, rax);
SAME_OFFSET(NSGX_FRAME_RCX, nsgx_frame, rcx);
SAME_OFFSET(NSGX_FRAME_RSP, nsgx_frame, rsp);
SAME_OFFSET(NSGX_FRAME_RIP, nsgx_frame, rip);
SAME_OFFSET(NSGX_FRAME_RFLAGS, nsgx_frame, rflags);
SAME_OFFSET(NSGX_FRAME_XSAVE, nsgx_frame, xsave);
_Static_assert(sizeof(struct nsgx_slot) == NSGX_PAGE_SIZE, "a slot's block is one page");
_Static_assert(sizeof(struct nsgx_frame) == NSGX_SLOT_FRAME_SIZE, "a frame fills its area");
_Static_assert(sizeof(struct snp_report) == SNP_REPORT_SIZE, "as the hardware writes it");
_Static_assert(offsetof(struct snp_report, signature_r) == SNP_REPORT_SIGNED_SIZE,
               "all before it is signed");

int main(void) {
  PrintImage();
  PrintSlot();
  PrintBoot();
  PrintReport();
  PrintNumbers();
  PrintSnpAbi();
  return 0;
}
