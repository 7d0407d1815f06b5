# SPDX-License-Identifier: Apache-2.0
"""What gdb has to know of an enclave on the machine `sim`; loaded by nsgx-gdb.

The enclave lies in the process of nsgx-run. Its library OS switches between the program's threads without asking Linux,
so gdb's own threads are vCPUs; the commands here find the others in the library OS's table.
"""

import os

import gdb

# Used by the machine itself: faults that become exceptions of the enclave, system calls that it traps, and its ticks.
QUIET_SIGNALS = "SIGSEGV SIGBUS SIGILL SIGFPE SIGSYS SIGPIPE SIG63"
# Saved in struct nsgx_frame, by gdb's names and offsets.
FRAME_REGISTERS = {
    "r8": 0x00, "r9": 0x08, "r10": 0x10, "r11": 0x18, "r12": 0x20, "r13": 0x28, "r14": 0x30, "r15": 0x38,
    "rdi": 0x40, "rsi": 0x48, "rbp": 0x50, "rbx": 0x58, "rdx": 0x60, "rax": 0x68, "rcx": 0x70, "rsp": 0x78,
    "rip": 0x80,
}
# On the kernel stack of a suspended thread; see libos/kernel/switch.S.
SUSPENDED_REGISTERS = {"r15": 0x08, "r14": 0x10, "r13": 0x18, "r12": 0x20, "rbx": 0x28, "rbp": 0x30, "rip": 0x38}
SUSPENDED_SIZE = 0x40
# Where the program ends and the library OS begins, on a stack of its own; see syscall-shim/entry/entry.S. After a call
# rsp points at struct SyscallRecord, and the program's other registers are those that the call has to keep. After
# anything else rbx points at struct nsgx_frame.
CALL_ENTRY = "libos_syscall"
OTHER_ENTRIES = ("libos_raw_syscall_entry", "libos_exception_entry", "libos_sigreturn")
RECORD_USER_RSP = 0x38
KEPT_REGISTERS = ("rbx", "rbp", "r12", "r13", "r14", "r15")
STATES = ("running", "going to sleep", "asleep", "woken", "yielding", "runnable", "dead")


def word_at(address):
    return int.from_bytes(gdb.selected_inferior().read_memory(address, 8).tobytes(), "little")


def image_path():
    """The first argument of nsgx-run that is an ELF file."""
    for argument in read_arguments():
        try:
            with open(argument, "rb") as stream:
                if stream.read(4) == b"\x7fELF":
                    return argument
        except OSError:
            pass
    return None


def read_arguments():
    with open(f"/proc/{gdb.selected_inferior().pid}/cmdline", "rb") as stream:
        return [os.fsdecode(word) for word in stream.read().split(b"\0")[1:] if word]


class Registers:
    """Lets a frame of another context be looked at; puts everything back."""

    def __init__(self, values):
        self.values = values

    def __enter__(self):
        frame = gdb.newest_frame()
        self.before = {name: register_of(frame, name) for name in FRAME_REGISTERS}
        set_registers(self.values)

    def __exit__(self, *_):
        set_registers(self.before)


def set_registers(values):
    gdb.newest_frame().select()
    for name, value in values.items():
        gdb.execute(f"set ${name} = {value:#x}", to_string=True)


def break_at(place, commands):
    """Runs commands at a place, in the order in which gdb itself runs those of breakpoints."""
    breakpoint_ = gdb.Breakpoint(place, internal=True)
    breakpoint_.silent = True
    breakpoint_.commands = commands


def image_loaded():
    """The image lies in memory: its symbols are wanted from here on."""
    base = int(gdb.parse_and_eval("$rdi"))
    path = image_path()
    if path is None:
        gdb.write("nsgx: no argument of nsgx-run is an ELF file, so there are no symbols\n")
        return
    gdb.execute(f"add-symbol-file {path} -o {base:#x}", to_string=True)
    break_at("nsgx::libos::DieBySignal", "python program_dies()")


def program_dies():
    """A signal is about to end the program: go to the place that caused it."""
    signal = int.from_bytes(gdb.selected_inferior().read_memory(int(gdb.parse_and_eval("$rdi")), 4).tobytes(), "little")
    frame = int(gdb.parse_and_eval("$rsi"))
    gdb.write(f"nsgx: signal {signal} ends the program\n")
    if frame != 0:
        values = {name: word_at(frame + offset) for name, offset in FRAME_REGISTERS.items()}
        newest = gdb.newest_frame()
        before = {name: register_of(newest, name) for name in FRAME_REGISTERS}
        set_registers(values)

        def put_back(_):
            gdb.events.cont.disconnect(put_back)
            set_registers(before)

        gdb.events.cont.connect(put_back)
    gdb.execute("frame 0")


def threads():
    """(tid, name, state, thread) of each thread, by number."""
    table = gdb.parse_and_eval("'nsgx::libos::(anonymous namespace)::thread_table'")
    thread_type = gdb.lookup_type("nsgx::libos::Thread")
    node_type = gdb.lookup_type("nsgx::ListNode<nsgx::libos::ThreadTableTag>")
    found = []
    for index in range(table.type.range()[1] + 1):
        head = table[index]["head_"].address
        node = head["next_"]
        while int(node) != int(head):
            thread = node.cast(node_type.pointer()).dereference().cast(thread_type)
            state = int(thread["state"]["__a_"]["__a_value"]) & 0xff
            found.append((int(thread["tid"]), thread["name"].string(), state, thread))
            node = node["next_"]
    return sorted(found, key=lambda entry: entry[0])


def register_of(frame, name):
    return int(frame.read_register(name)) & (2**64 - 1)


def program_registers():
    """The program's registers as the library OS's frames of the selected thread keep them; None: there are none."""
    frame = gdb.newest_frame()
    while frame is not None and frame.name() not in (CALL_ENTRY,) + OTHER_ENTRIES:
        frame = frame.older()
    if frame is None:
        return None
    if frame.name() == CALL_ENTRY:
        stack = word_at(register_of(frame, "rsp") + RECORD_USER_RSP)
        return {"rip": word_at(stack), "rsp": stack + 8} | {name: register_of(frame, name) for name in KEPT_REGISTERS}
    saved = register_of(frame, "rbx")
    return {name: word_at(saved + offset) for name, offset in FRAME_REGISTERS.items()}


def program_backtrace(thread):
    """gdb's backtrace of a suspended thread, from the program's innermost function on."""
    stack = int(thread["rsp"])
    values = {name: word_at(stack + offset) for name, offset in SUSPENDED_REGISTERS.items()}
    with Registers(values | {"rsp": stack + SUSPENDED_SIZE}):
        registers = program_registers()
        if registers is None:
            return "  (not in the program)\n"
        set_registers(registers)
        return gdb.execute("backtrace", to_string=True)


class Nsgx(gdb.Command):
    """The enclave: nsgx threads, nsgx bt [N]."""

    def __init__(self):
        super().__init__("nsgx", gdb.COMMAND_STACK, prefix=True)


class Threads(gdb.Command):
    """Lists the enclave's threads."""

    def __init__(self):
        super().__init__("nsgx threads", gdb.COMMAND_STACK)

    def invoke(self, _argument, _from_tty):
        for tid, name, state, _ in threads():
            gdb.write(f"{tid:6}  {STATES[state] if state < len(STATES) else state:14}  {name}\n")


class Backtrace(gdb.Command):
    """Shows where a thread of the enclave is, or all."""

    def __init__(self):
        super().__init__("nsgx bt", gdb.COMMAND_STACK)

    def invoke(self, argument, _from_tty):
        wanted = int(argument) if argument.strip() else None
        shown = False
        for tid, name, state, thread in threads():
            if wanted in (None, tid):
                shown = True
                gdb.write(f"thread {tid} {name} ({STATES[state] if state < len(STATES) else state})\n")
                # Running ones are gdb's own threads.
                gdb.write(program_backtrace(thread) if state not in (0, 1, 3, 4, 6) else "  (see `thread apply all bt`)\n")
        if not shown:
            raise gdb.GdbError(f"there is no thread {wanted}; see `nsgx threads`")


def find_sources():
    """In a checkout the sources lie above the out folder; their names in the image begin at the top of the tree."""
    top = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    if os.path.isdir(os.path.join(top, "libos")):
        gdb.execute(f"directory {top}", to_string=True)


find_sources()
gdb.execute("set pagination off")
gdb.execute("set breakpoint pending on")
gdb.execute("set print thread-events off")
gdb.execute(f"handle {QUIET_SIGNALS} nostop noprint pass", to_string=True)
if gdb.selected_inferior().pid == 0:  # else this is a core file
    break_at("nsgx_sim_image_loaded", "python image_loaded()\ncontinue")
Nsgx()
Threads()
Backtrace()
