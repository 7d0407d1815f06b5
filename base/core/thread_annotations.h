// SPDX-License-Identifier: Apache-2.0
#pragma once

// Names for clang's thread-safety attributes; `-Wthread-safety` then refuses a field that is used
// without its lock. Other compilers see nothing.
#if defined(__clang__)
#define NSGX_THREAD_ANNOTATION(...) __attribute__((__VA_ARGS__))
#else
#define NSGX_THREAD_ANNOTATION(...)
#endif

// On a class: it is a lock. `name` appears in diagnostics.
#define CAPABILITY(name) NSGX_THREAD_ANNOTATION(capability(name))
// On a class: holds a lock from construction to destruction.
#define SCOPED_CAPABILITY NSGX_THREAD_ANNOTATION(scoped_lockable)
// On a field: used only with the lock held. The second form is for what a pointer points to.
#define GUARDED_BY(lock) NSGX_THREAD_ANNOTATION(guarded_by(lock))
#define PT_GUARDED_BY(lock) NSGX_THREAD_ANNOTATION(pt_guarded_by(lock))
// On a function: the caller holds, or does not hold, the locks.
#define REQUIRES(...) NSGX_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) NSGX_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
// On a function: takes or gives up the locks (those of `this` when none is named).
#define ACQUIRE(...) NSGX_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) NSGX_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define RELEASE(...) NSGX_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
// On a function: returns this lock.
#define RETURN_CAPABILITY(lock) NSGX_THREAD_ANNOTATION(lock_returned(lock))
// On a lock: taken after the others.
#define ACQUIRED_AFTER(...) NSGX_THREAD_ANNOTATION(acquired_after(__VA_ARGS__))
// On a function that the analysis cannot follow; a comment says why it is right all the same.
#define NO_THREAD_SAFETY_ANALYSIS NSGX_THREAD_ANNOTATION(no_thread_safety_analysis)
