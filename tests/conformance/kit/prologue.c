// SPDX-License-Identifier: Apache-2.0
// Linked into every test, in the enclave and in its native twin: makes both start alike. Before
// main() and before static constructors, the test gets a working folder of its own, the files that
// it wants there, and an ordinary user's rights: what root may do is not what a test of permissions
// asks for, and natively nobody wants it as root.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// The files to place; the harness writes the table for those tests that want files.
struct placed_file {
  const char* path;
  const char* begin;
  const char* end;
};
extern const struct placed_file conformance_files[] __attribute__((weak));

enum { kNobody = 65534 };

static void require(int ok, const char* what) {
  if (!ok) {
    fprintf(stderr, "conformance prologue: %s: %s\n", what, strerror(errno));
    _exit(99);
  }
}

// Makes the folders that `path` lies in.
static void make_folders_of(const char* path) {
  char folder[PATH_MAX];
  for (const char* slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    size_t length = (size_t)(slash - path);
    require(length < sizeof(folder), path);
    memcpy(folder, path, length);
    folder[length] = '\0';
    require(length == 0 || mkdir(folder, 0777) == 0 || errno == EEXIST, folder);
  }
}

static void place(const struct placed_file* file) {
  make_folders_of(file->path);
  int fd = open(file->path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  require(fd >= 0, file->path);
  for (const char* next = file->begin; next < file->end;) {
    ssize_t written = write(fd, next, (size_t)(file->end - next));
    require(written > 0, file->path);
    next += written;
  }
  require(close(fd) == 0, file->path);
}

__attribute__((constructor(101))) static void start_test(void) {
  char folder[PATH_MAX];
  require(getcwd(folder, sizeof(folder)) != NULL, "getcwd");
  if (geteuid() == 0) {
    // Only an enclave starts as root, in the root of its own files.
    require(mkdir("/tmp/test", 0777) == 0 && mkdir("/tmp/test/run", 0777) == 0, "/tmp/test/run");
    require(chown("/tmp/test", kNobody, kNobody) == 0, "/tmp/test");
    require(chown("/tmp/test/run", kNobody, kNobody) == 0 && chdir("/tmp/test/run") == 0,
            "/tmp/test/run");
    require(setgroups(0, NULL) == 0 && setgid(kNobody) == 0 && setuid(kNobody) == 0, "setuid");
  }
  if (conformance_files != NULL) {
    for (const struct placed_file* file = conformance_files; file->path != NULL; ++file) {
      place(file);
    }
  }
}
