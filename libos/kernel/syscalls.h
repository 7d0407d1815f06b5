// SPDX-License-Identifier: Apache-2.0
// The system calls that are not about files: threads, signals, time, identity, memory. Each has
// Linux's arguments, results and errors. They run in a thread of the program with ticks off, and
// may sleep.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libos/kernel/errno.h"
#include "libos/kernel/linux_time.h"
#include "libos/kernel/signal_types.h"
#include "libos/kernel/user_memory.h"

namespace nsgx::libos {

struct LinuxIovec;  // libos/vfs/linux_abi.h

// ---- threads: syscalls_thread.cc
SysResult SysClone(uint64_t flags, uint64_t stack, UserOut<int32_t> parent_tid,
                   UserOut<int32_t> child_tid,
                   uint64_t thread_pointer);  // raw calls only; the C library has libos_clone
SysResult SysClone3(UserIn<std::byte> arguments, size_t size);
SysResult SysExit(int32_t status);
SysResult SysExitGroup(int32_t status);
SysResult SysGettid();
SysResult SysSetTidAddress(uint64_t address);
SysResult SysSetRobustList(uint64_t head, size_t size);
SysResult SysGetRobustList(int32_t tid, UserOut<uint64_t> head, UserOut<uint64_t> size);
SysResult SysArchPrctl(int32_t operation, uint64_t address);
SysResult SysPrctl(int32_t operation, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

// ---- futexes: syscalls_futex.cc
SysResult SysFutex(uint64_t address, uint32_t operation, uint32_t value, uint64_t timeout_or_count,
                   uint64_t second_address, uint32_t third_value);
SysResult SysFutexWaitv(UserIn<std::byte> entries, uint32_t count, uint32_t flags,
                        UserIn<KernelTimespec> timeout, int32_t clock);
SysResult SysFutexWake(uint64_t address, uint64_t mask, int32_t count, uint32_t flags);
SysResult SysFutexWait(uint64_t address, uint64_t expected, uint64_t mask, uint32_t flags,
                       UserIn<KernelTimespec> timeout, int32_t clock);
SysResult SysFutexRequeue(UserIn<std::byte> entries, uint32_t flags, int32_t wake, int32_t move);

// ---- scheduling: syscalls_schedule.cc
SysResult SysSchedYield();
SysResult SysSchedGetaffinity(int32_t tid, uint32_t size, UserOut<uint64_t> mask);
SysResult SysSchedSetaffinity(int32_t tid, uint32_t size, UserIn<uint64_t> mask);
SysResult SysSchedGetparam(int32_t tid, UserOut<int32_t> priority);
SysResult SysSchedSetparam(int32_t tid, UserIn<int32_t> priority);
SysResult SysSchedGetscheduler(int32_t tid);
SysResult SysSchedSetscheduler(int32_t tid, int32_t policy, UserIn<int32_t> priority);
SysResult SysSchedGetPriorityMax(int32_t policy);
SysResult SysSchedGetPriorityMin(int32_t policy);
SysResult SysSchedSetattr(int32_t tid, UserOut<std::byte> attributes, uint32_t flags);
SysResult SysSchedGetattr(int32_t tid, UserOut<std::byte> attributes, uint32_t size,
                          uint32_t flags);
SysResult SysIoprioSet(int32_t which, int32_t who, int32_t priority);
SysResult SysIoprioGet(int32_t which, int32_t who);
SysResult SysSchedRrGetInterval(int32_t tid, UserOut<KernelTimespec> interval);
SysResult SysGetpriority(int32_t which, int32_t who);
SysResult SysSetpriority(int32_t which, int32_t who, int32_t value);
SysResult SysGetcpu(UserOut<uint32_t> cpu, UserOut<uint32_t> node);
SysResult SysMembarrier(int32_t command, uint32_t flags, int32_t cpu);

// ---- signals: syscalls_signal.cc
SysResult SysRtSigaction(int32_t signal, UserIn<SignalAction> action, UserOut<SignalAction> old,
                         size_t mask_size);
SysResult SysRtSigprocmask(int32_t how, UserIn<uint64_t> set, UserOut<uint64_t> old,
                           size_t mask_size);
SysResult SysRtSigpending(UserOut<uint64_t> set, size_t mask_size);
SysResult SysRtSigsuspend(UserIn<uint64_t> mask, size_t mask_size);
SysResult SysRtSigtimedwait(UserIn<uint64_t> set, UserOut<SignalInfo> info,
                            UserIn<KernelTimespec> timeout, size_t mask_size);
SysResult SysRtSigqueueinfo(int32_t pid, int32_t signal, UserIn<SignalInfo> info);
SysResult SysRtTgsigqueueinfo(int32_t pid, int32_t tid, int32_t signal, UserIn<SignalInfo> info);
SysResult SysRtSigreturn();
SysResult SysSigaltstack(UserIn<SignalStack> stack, UserOut<SignalStack> old);
SysResult SysKill(int32_t pid, int32_t signal);
SysResult SysTkill(int32_t tid, int32_t signal);
SysResult SysTgkill(int32_t pid, int32_t tid, int32_t signal);
SysResult SysPause();

// ---- signals and timers as files: signal_file.cc, timer_file.cc
SysResult SysSignalfd(int32_t fd, UserIn<uint64_t> mask, size_t mask_size);
SysResult SysSignalfd4(int32_t fd, UserIn<uint64_t> mask, size_t mask_size, uint32_t flags);
SysResult SysTimerfdCreate(int32_t clock, uint32_t flags);
SysResult SysTimerfdSettime(int32_t fd, uint32_t flags, UserIn<KernelTimespec> value,
                            UserOut<KernelTimespec> old);
SysResult SysTimerfdGettime(int32_t fd, UserOut<KernelTimespec> value);

// ---- time: syscalls_time.cc
SysResult SysClockGettime(int32_t clock, UserOut<KernelTimespec> time);
SysResult SysClockGetres(int32_t clock, UserOut<KernelTimespec> resolution);
SysResult SysClockNanosleep(int32_t clock, int32_t flags, UserIn<KernelTimespec> time,
                            UserOut<KernelTimespec> rest);
SysResult SysNanosleep(UserIn<KernelTimespec> time, UserOut<KernelTimespec> rest);
SysResult SysGettimeofday(UserOut<KernelTimeval> time, UserOut<int32_t> zone);
SysResult SysTime(UserOut<int64_t> seconds);
SysResult SysTimes(UserOut<int64_t> times);
SysResult SysGetrusage(int32_t who, UserOut<int64_t> usage);
SysResult SysAdjtimex(UserOut<std::byte> state);
SysResult SysClockAdjtime(int32_t clock, UserOut<std::byte> state);

// ---- timers that send signals: syscalls_timer.cc
SysResult SysAlarm(uint32_t seconds);
SysResult SysGetitimer(int32_t which, UserOut<KernelTimeval> value);
SysResult SysSetitimer(int32_t which, UserIn<KernelTimeval> value, UserOut<KernelTimeval> old);
SysResult SysTimerCreate(int32_t clock, UserIn<std::byte> event, UserOut<int32_t> id);
SysResult SysTimerDelete(int32_t id);
SysResult SysTimerSettime(int32_t id, int32_t flags, UserIn<KernelTimespec> value,
                          UserOut<KernelTimespec> old);
SysResult SysTimerGettime(int32_t id, UserOut<KernelTimespec> value);
SysResult SysTimerGetoverrun(int32_t id);
// RLIMIT_CPU, in seconds of the process: SIGXCPU at the first and each second after, SIGKILL at the
// second.
void SetCpuLimit(uint64_t soft_seconds, uint64_t hard_seconds);

// ---- identity and limits: syscalls_process.cc
SysResult SysGetpid();
SysResult SysGetppid();
SysResult SysGetpgrp();
SysResult SysGetpgid(int32_t pid);
SysResult SysSetpgid(int32_t pid, int32_t group);
SysResult SysGetsid(int32_t pid);
SysResult SysSetsid();
SysResult SysGetuid();
SysResult SysGeteuid();
SysResult SysGetgid();
SysResult SysGetegid();
SysResult SysGetresuid(UserOut<uint32_t> real, UserOut<uint32_t> effective,
                       UserOut<uint32_t> saved);
SysResult SysGetresgid(UserOut<uint32_t> real, UserOut<uint32_t> effective,
                       UserOut<uint32_t> saved);
SysResult SysSetuid(uint32_t id);
SysResult SysSetgid(uint32_t id);
SysResult SysSetreuid(uint32_t real, uint32_t effective);
SysResult SysSetregid(uint32_t real, uint32_t effective);
SysResult SysSetresuid(uint32_t real, uint32_t effective, uint32_t saved);
SysResult SysSetresgid(uint32_t real, uint32_t effective, uint32_t saved);
SysResult SysSetfsuid(uint32_t id);
SysResult SysSetfsgid(uint32_t id);
SysResult SysGetgroups(int32_t size, UserOut<uint32_t> groups);
SysResult SysSetgroups(int32_t size, UserIn<uint32_t> groups);
SysResult SysGetrlimit(uint32_t resource, UserOut<uint64_t> limit);
SysResult SysSetrlimit(uint32_t resource, UserIn<uint64_t> limit);
SysResult SysPrlimit64(int32_t pid, uint32_t resource, UserIn<uint64_t> limit,
                       UserOut<uint64_t> old);
SysResult SysUname(UserOut<std::byte> names);
SysResult SysSysinfo(UserOut<std::byte> info);
SysResult SysGetrandom(UserOut<std::byte> buffer, size_t size, uint32_t flags);

// ---- message queues: syscalls_message_queue.cc. Sending and receiving: [restart]
SysResult SysMqOpen(UserIn<char> name, uint32_t flags, uint32_t mode, UserIn<std::byte> attributes);
SysResult SysMqUnlink(UserIn<char> name);
SysResult SysMqTimedsend(int32_t fd, UserIn<std::byte> bytes, size_t size, uint32_t priority,
                         UserIn<KernelTimespec> timeout);
SysResult SysMqTimedreceive(int32_t fd, UserOut<std::byte> buffer, size_t size,
                            UserOut<uint32_t> priority, UserIn<KernelTimespec> timeout);
SysResult SysMqNotify(int32_t fd, UserIn<std::byte> request);
SysResult SysMqGetsetattr(int32_t fd, UserIn<std::byte> fresh, UserOut<std::byte> old);

// ---- System V IPC, inside the process: syscalls_segment.cc, syscalls_semaphore.cc,
// syscalls_system_v_queue.cc
SysResult SysShmget(int32_t key, uint64_t size, uint32_t flags);
SysResult SysShmat(int32_t id, uint64_t address, uint32_t flags);
SysResult SysShmdt(uint64_t address);
SysResult SysShmctl(int32_t id, int32_t command, UserOut<std::byte> argument);
SysResult SysSemget(int32_t key, int32_t count, uint32_t flags);
SysResult SysSemop(int32_t id, UserIn<std::byte> operations, size_t count);
SysResult SysSemtimedop(int32_t id, UserIn<std::byte> operations, size_t count,
                        UserIn<KernelTimespec> timeout);
SysResult SysSemctl(int32_t id, int32_t number, int32_t command, uint64_t argument);
SysResult SysMsgget(int32_t key, uint32_t flags);
SysResult SysMsgsnd(int32_t id, UserIn<std::byte> message, size_t size, uint32_t flags);
SysResult SysMsgrcv(int32_t id, UserOut<std::byte> buffer, size_t size, int64_t type,
                    uint32_t flags);
SysResult SysMsgctl(int32_t id, int32_t command, UserOut<std::byte> argument);

// ---- on the one process: syscalls_self.cc
SysResult SysWait4(int32_t pid, UserOut<int32_t> status, uint32_t options,
                   UserOut<std::byte> usage);
SysResult SysWaitid(int32_t type, int32_t id, UserOut<std::byte> info, uint32_t options,
                    UserOut<std::byte> usage);
SysResult SysProcessVmReadv(int32_t pid, UserIn<LinuxIovec> local, size_t local_count,
                            UserIn<LinuxIovec> remote, size_t remote_count, uint64_t flags);
SysResult SysProcessVmWritev(int32_t pid, UserIn<LinuxIovec> local, size_t local_count,
                             UserIn<LinuxIovec> remote, size_t remote_count, uint64_t flags);
SysResult SysKcmp(int32_t first, int32_t second, int32_t type, uint64_t first_index,
                  uint64_t second_index);
SysResult SysPersonality(uint32_t wanted);
SysResult SysCapget(UserOut<std::byte> header, UserOut<std::byte> data);
SysResult SysCapset(UserOut<std::byte> header, UserIn<std::byte> data);
SysResult SysPidfdOpen(int32_t pid, uint32_t flags);
SysResult SysPidfdSendSignal(int32_t fd, int32_t signal, UserIn<SignalInfo> info, uint32_t flags);
SysResult SysPidfdGetfd(int32_t fd, int32_t target, uint32_t flags);
SysResult SysProcessMadvise(int32_t fd, UserIn<LinuxIovec> segments, size_t count, int32_t advice,
                            uint32_t flags);

// ---- memory: syscalls_memory.cc
SysResult SysMmap(uint64_t address, size_t size, int32_t protection, int32_t flags, int32_t fd,
                  uint64_t offset);
SysResult SysMunmap(uint64_t address, size_t size);
SysResult SysMprotect(uint64_t address, size_t size, int32_t protection);
SysResult SysMremap(uint64_t address, size_t old_size, size_t new_size, uint32_t flags,
                    uint64_t new_address);
SysResult SysMadvise(uint64_t address, size_t size, int32_t advice);
SysResult SysMsync(uint64_t address, size_t size, int32_t flags);
SysResult SysMincore(uint64_t address, size_t size, UserOut<uint8_t> pages);
SysResult SysBrk(uint64_t address);
SysResult SysMlock(uint64_t address, size_t size);
SysResult SysMlock2(uint64_t address, size_t size, uint32_t flags);
SysResult SysMunlock(uint64_t address, size_t size);
SysResult SysMlockall(uint32_t flags);
SysResult SysMunlockall();

}  // namespace nsgx::libos
