// SPDX-License-Identifier: Apache-2.0
// Stands for the C files of a test: the harness copies the command that compiles this.
int seed_answer(void) { return 0; }
