// SPDX-License-Identifier: Apache-2.0
// Stands for the C++ files of a test: the harness copies the commands that compile this and link
// it.
extern "C" int seed_answer();

int main() { return seed_answer(); }
