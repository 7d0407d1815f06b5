/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates of the simulated chip, each preceded by its size, in the order of evidence.bin. Data only. */

.macro certificate path
    .long 2f - 1f
1:  .incbin "\path"
2:
.endm

    .section .rodata.nsgx_chip_chain, "a", @progbits
    .globl nsgx_chip_chain_start, nsgx_chip_chain_end
    .balign 4
nsgx_chip_chain_start:
    certificate "vmpl-switch/emulator/chip/chain/vcek.der"
    certificate "vmpl-switch/emulator/chip/chain/ask.der"
    certificate "vmpl-switch/emulator/chip/chain/ark.der"
nsgx_chip_chain_end:

    .section .note.GNU-stack, "", @progbits
