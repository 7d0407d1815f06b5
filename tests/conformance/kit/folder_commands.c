// SPDX-License-Identifier: Apache-2.0
// Some suites make and remove the folders that their tests play in by shell commands. An enclave
// has no shell, so both twins have this instead of system(): three commands, on one path.
#define _GNU_SOURCE
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { kFailed = 256, kUnknownCommand = 127 << 8, kOpenFolders = 32 };

static int make_folders(const char* path) {
  char folder[PATH_MAX];
  if (strlen(path) >= sizeof(folder)) {
    return kFailed;
  }
  strcpy(folder, path);
  for (char* slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
      return kFailed;
    }
    *slash = '/';
  }
  return mkdir(folder, 0777) == 0 || errno == EEXIST ? 0 : kFailed;
}

static int open_up(const char* path, const struct stat* status, int kind, struct FTW* place) {
  (void)status;
  (void)place;
  return kind == FTW_SL || kind == FTW_SLN ? 0 : chmod(path, 0777);
}

// A folder that may not be read hides what is in it until it has been opened up.
static int open_up_all(const char* path) {
  struct stat status;
  if (lstat(path, &status) != 0) {
    return kFailed;
  }
  for (int round = 0; round < kOpenFolders; ++round) {
    if (nftw(path, open_up, kOpenFolders, FTW_PHYS) == 0) {
      return 0;
    }
  }
  return kFailed;
}

static int remove_one(const char* path, const struct stat* status, int kind, struct FTW* place) {
  (void)status;
  (void)kind;
  (void)place;
  return remove(path);
}

static int remove_all(const char* path) {
  struct stat status;
  if (lstat(path, &status) != 0) {
    return errno == ENOENT ? 0 : kFailed;
  }
  return nftw(path, remove_one, kOpenFolders, FTW_PHYS | FTW_DEPTH) == 0 ? 0 : kFailed;
}

static const struct {
  const char* command;
  int (*run)(const char* path);
} kCommands[] = {
    {"mkdir -p ", make_folders},
    {"chmod -R 777 ", open_up_all},
    {"rm -rf ", remove_all},
};

int system(const char* command) {
  for (size_t i = 0; command != NULL && i < sizeof(kCommands) / sizeof(kCommands[0]); ++i) {
    const size_t length = strlen(kCommands[i].command);
    if (strncmp(command, kCommands[i].command, length) == 0) {
      return kCommands[i].run(command + length);
    }
  }
  return kUnknownCommand;
}
