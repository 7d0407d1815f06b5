/* SPDX-License-Identifier: Apache-2.0 */
/* What StartFiles calls only in images whose programs use names of files.
 *
 * Code that takes a name from a program refers to nsgx_named_files_record (libos/vfs/path.cc), so the
 * linker keeps the record, what it leads to and the host calls behind that exactly in images that
 * have such code; see docs/architecture.md. The first word is there for the section to be there. */
  .section nsgx_named_files, "aR", @progbits, unique, 0
  .long 0

  .section nsgx_named_files, "a", @progbits, unique, 1
  .globl nsgx_named_files_record
  .hidden nsgx_named_files_record
nsgx_named_files_record:
  .hidden libos_mount_named_files
  .long libos_mount_named_files - .

  .section .note.GNU-stack, "", @progbits
