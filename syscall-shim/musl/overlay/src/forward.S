/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the place of musl's assembly that makes system calls. The names on the left are musl's own; each has the
 * arguments of the function in below.h that it jumps to, in the same registers. */

.macro forward name:req, target:req
	.hidden	\target
	.globl	\name
	.hidden	\name
	.type	\name, @function
\name:
	jmp	\target
	.size	\name, . - \name
.endm

	.text

forward __clone, libos_clone
forward __unmapself, libos_unmapself
forward __set_thread_area, libos_set_tls
forward __restore_rt, libos_sigreturn		/* entered by a handler's `ret`, not by a call */

	.section .note.GNU-stack, "", @progbits
