# SPDX-License-Identifier: Apache-2.0
"""Files that a test finds in its working folder: packed into the program, and written by kit/prologue.c. So both twins
have them, whatever the enclave may see of the machine."""

import hashlib
import os


def _quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def source_for(files, folder):
    """An assembly file in `folder` that packs {path in the working folder: path of the contents}."""
    digest = hashlib.sha256()
    data, table = [], []
    for index, (name, path) in enumerate(sorted(files.items())):
        with open(path, "rb") as stream:
            digest.update(name.encode() + b"\0" + hashlib.sha256(stream.read()).digest())
        data.append(f"name{index}: .asciz {_quoted(name)}\nbegin{index}: .incbin {_quoted(path)}\nend{index}:\n")
        table.append(f"\t.quad name{index}, begin{index}, end{index}\n")
    made = os.path.join(folder, f"files-{digest.hexdigest()[:20]}.s")
    with open(made, "w", encoding="utf-8") as stream:
        stream.write("\t.section .rodata\n" + "".join(data))
        stream.write('\t.section .data.rel.ro,"aw"\n\t.balign 8\n\t.globl conformance_files\nconformance_files:\n')
        stream.write("".join(table) + '\t.quad 0, 0, 0\n\t.section .note.GNU-stack,"",@progbits\n')
    return made
