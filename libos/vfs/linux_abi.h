// SPDX-License-Identifier: Apache-2.0
// The part of the Linux x86-64 ABI that concerns files: numbers and layouts, no behaviour. Names
// keep their Linux spelling behind a k, as those of errno.h do, so that no macro of a C library can
// get at them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nsgx::libos {

// open
inline constexpr uint32_t kO_ACCMODE = 03;
inline constexpr uint32_t kO_RDONLY = 00;
inline constexpr uint32_t kO_WRONLY = 01;
inline constexpr uint32_t kO_RDWR = 02;
inline constexpr uint32_t kO_CREAT = 0100;
inline constexpr uint32_t kO_EXCL = 0200;
inline constexpr uint32_t kO_NOCTTY = 0400;
inline constexpr uint32_t kO_TRUNC = 01000;
inline constexpr uint32_t kO_APPEND = 02000;
inline constexpr uint32_t kO_NONBLOCK = 04000;
inline constexpr uint32_t kO_DSYNC = 010000;
inline constexpr uint32_t kO_ASYNC = 020000;
inline constexpr uint32_t kO_DIRECT = 040000;
inline constexpr uint32_t kO_LARGEFILE = 0100000;
inline constexpr uint32_t kO_DIRECTORY = 0200000;
inline constexpr uint32_t kO_NOFOLLOW = 0400000;
inline constexpr uint32_t kO_NOATIME = 01000000;
inline constexpr uint32_t kO_CLOEXEC = 02000000;
inline constexpr uint32_t kO_SYNC = 04000000 | kO_DSYNC;
inline constexpr uint32_t kO_PATH = 010000000;
inline constexpr uint32_t kO_TMPFILE = 020000000 | kO_DIRECTORY;

// *at
inline constexpr int32_t kAT_FDCWD = -100;
inline constexpr uint32_t kAT_SYMLINK_NOFOLLOW = 0x100;
inline constexpr uint32_t kAT_REMOVEDIR = 0x200;
inline constexpr uint32_t kAT_EACCESS = 0x200;
inline constexpr uint32_t kAT_SYMLINK_FOLLOW = 0x400;
inline constexpr uint32_t kAT_NO_AUTOMOUNT = 0x800;
inline constexpr uint32_t kAT_EMPTY_PATH = 0x1000;
inline constexpr uint32_t kAT_STATX_SYNC_TYPE = 0x6000;

// openat2
inline constexpr uint64_t kRESOLVE_NO_XDEV = 1;
inline constexpr uint64_t kRESOLVE_NO_MAGICLINKS = 2;
inline constexpr uint64_t kRESOLVE_NO_SYMLINKS = 4;
inline constexpr uint64_t kRESOLVE_BENEATH = 8;
inline constexpr uint64_t kRESOLVE_IN_ROOT = 0x10;
inline constexpr uint64_t kRESOLVE_CACHED = 0x20;

struct LinuxOpenHow {
  uint64_t flags;
  uint64_t mode;
  uint64_t resolve;
};

// Namespaces of extended attributes.
inline constexpr std::string_view kUserAttributes = "user.";
inline constexpr std::string_view kTrustedAttributes = "trusted.";

inline constexpr uint32_t kRENAME_NOREPLACE = 1;
inline constexpr uint32_t kRENAME_EXCHANGE = 2;
inline constexpr uint32_t kRENAME_WHITEOUT = 4;

inline constexpr uint32_t kF_OK = 0;
inline constexpr uint32_t kX_OK = 1;
inline constexpr uint32_t kW_OK = 2;
inline constexpr uint32_t kR_OK = 4;

inline constexpr size_t kPATH_MAX = 4096;  // with the NUL
inline constexpr size_t kNAME_MAX = 255;   // without
inline constexpr uint32_t kMaxSymlinks = 40;
inline constexpr uint32_t kMaxLinks = 0x7fffffff;
inline constexpr size_t kPIPE_BUF = 4096;
inline constexpr int32_t kIOV_MAX = 1024;
// No read or write moves more in one call.
inline constexpr size_t kMAX_RW_COUNT = 0x7ffff000;

// Modes
inline constexpr uint32_t kS_IFMT = 0170000;
inline constexpr uint32_t kS_IFSOCK = 0140000;
inline constexpr uint32_t kS_IFLNK = 0120000;
inline constexpr uint32_t kS_IFREG = 0100000;
inline constexpr uint32_t kS_IFBLK = 0060000;
inline constexpr uint32_t kS_IFDIR = 0040000;
inline constexpr uint32_t kS_IFCHR = 0020000;
inline constexpr uint32_t kS_IFIFO = 0010000;
inline constexpr uint32_t kS_ISUID = 04000;
inline constexpr uint32_t kS_ISGID = 02000;
inline constexpr uint32_t kS_ISVTX = 01000;
inline constexpr uint32_t kS_IXGRP = 0010;
inline constexpr uint32_t kPermissionBits = 07777;

// Directory entry types; those of modes shifted by 12.
inline constexpr uint8_t kDT_UNKNOWN = 0;
constexpr uint8_t DirectoryEntryType(uint32_t mode) {
  return static_cast<uint8_t>((mode & kS_IFMT) >> 12);
}

// struct stat; headers of C libraries make macros of st_atime and its kin
struct LinuxStat {
  uint64_t st_dev;
  uint64_t st_ino;
  uint64_t st_nlink;
  uint32_t st_mode;
  uint32_t st_uid;
  uint32_t st_gid;
  uint32_t padding;
  uint64_t st_rdev;
  int64_t st_size;
  int64_t st_blksize;
  int64_t st_blocks;
  int64_t st_atime_sec;
  uint64_t st_atime_nsec;
  int64_t st_mtime_sec;
  uint64_t st_mtime_nsec;
  int64_t st_ctime_sec;
  uint64_t st_ctime_nsec;
  int64_t reserved[3];
};
static_assert(sizeof(LinuxStat) == 144);

struct LinuxStatxTimestamp {
  int64_t tv_sec;
  uint32_t tv_nsec;
  int32_t reserved;
};
// struct statx
struct LinuxStatx {
  uint32_t stx_mask;
  uint32_t stx_blksize;
  uint64_t stx_attributes;
  uint32_t stx_nlink;
  uint32_t stx_uid;
  uint32_t stx_gid;
  uint16_t stx_mode;
  uint16_t padding;
  uint64_t stx_ino;
  uint64_t stx_size;
  uint64_t stx_blocks;
  uint64_t stx_attributes_mask;
  LinuxStatxTimestamp stx_atime;
  LinuxStatxTimestamp stx_btime;
  LinuxStatxTimestamp stx_ctime;
  LinuxStatxTimestamp stx_mtime;
  uint32_t stx_rdev_major;
  uint32_t stx_rdev_minor;
  uint32_t stx_dev_major;
  uint32_t stx_dev_minor;
  uint64_t stx_mnt_id;
  uint32_t stx_dio_mem_align;
  uint32_t stx_dio_offset_align;
  uint64_t reserved[12];
};
static_assert(sizeof(LinuxStatx) == 256);
inline constexpr uint32_t kSTATX_BASIC_STATS = 0x7ff;
inline constexpr uint32_t kSTATX_BTIME = 0x800;
inline constexpr uint32_t kSTATX_MNT_ID = 0x1000;
inline constexpr uint32_t kSTATX_RESERVED = 0x80000000;
inline constexpr uint64_t kSTATX_ATTR_MOUNT_ROOT = 0x2000;

// struct statfs
struct LinuxStatfs {
  int64_t f_type;
  int64_t f_bsize;
  uint64_t f_blocks;
  uint64_t f_bfree;
  uint64_t f_bavail;
  uint64_t f_files;
  uint64_t f_ffree;
  uint64_t f_fsid;
  int64_t f_namelen;
  int64_t f_frsize;
  int64_t f_flags;
  int64_t f_spare[4];
};
static_assert(sizeof(LinuxStatfs) == 120);
inline constexpr int64_t kST_RDONLY = 1;
inline constexpr int64_t kST_VALID = 0x20;
inline constexpr int64_t kTMPFS_MAGIC = 0x01021994;
inline constexpr int64_t kPROC_SUPER_MAGIC = 0x9fa0;
inline constexpr int64_t kPIPEFS_MAGIC = 0x50495045;
inline constexpr int64_t kSOCKFS_MAGIC = 0x534f434b;
inline constexpr int64_t kANON_INODE_FS_MAGIC = 0x09041934;

// struct linux_dirent64 up to the name.
struct LinuxDirent64 {
  uint64_t d_ino;
  int64_t d_off;
  uint16_t d_reclen;
  uint8_t d_type;
};
inline constexpr size_t kDirent64NameOffset = 19;
// struct linux_dirent up to the name; the type is its last byte.
inline constexpr size_t kDirentNameOffset = 18;

// struct timespec, timeval, utimbuf
struct LinuxTimespec {
  int64_t tv_sec;
  int64_t tv_nsec;
};
struct LinuxTimeval {
  int64_t tv_sec;
  int64_t tv_usec;
};
struct LinuxUtimbuf {
  int64_t actime;
  int64_t modtime;
};
inline constexpr int64_t kUTIME_NOW = 0x3fffffff;
inline constexpr int64_t kUTIME_OMIT = 0x3ffffffe;

// struct iovec
struct LinuxIovec {
  uint64_t iov_base;
  uint64_t iov_len;
};
inline constexpr uint32_t kRWF_HIPRI = 1;
inline constexpr uint32_t kRWF_DSYNC = 2;
inline constexpr uint32_t kRWF_SYNC = 4;
inline constexpr uint32_t kRWF_NOWAIT = 8;
inline constexpr uint32_t kRWF_APPEND = 16;

inline constexpr uint32_t kSEEK_SET = 0;
inline constexpr uint32_t kSEEK_CUR = 1;
inline constexpr uint32_t kSEEK_END = 2;
inline constexpr uint32_t kSEEK_DATA = 3;
inline constexpr uint32_t kSEEK_HOLE = 4;

inline constexpr uint32_t kFALLOC_FL_KEEP_SIZE = 1;
inline constexpr uint32_t kFALLOC_FL_PUNCH_HOLE = 2;

inline constexpr uint32_t kCLOSE_RANGE_UNSHARE = 2;
inline constexpr uint32_t kCLOSE_RANGE_CLOEXEC = 4;

// fcntl
inline constexpr uint32_t kF_DUPFD = 0;
inline constexpr uint32_t kF_GETFD = 1;
inline constexpr uint32_t kF_SETFD = 2;
inline constexpr uint32_t kF_GETFL = 3;
inline constexpr uint32_t kF_SETFL = 4;
inline constexpr uint32_t kF_GETLK = 5;
inline constexpr uint32_t kF_SETLK = 6;
inline constexpr uint32_t kF_SETLKW = 7;
inline constexpr uint32_t kF_SETOWN = 8;
inline constexpr uint32_t kF_GETOWN = 9;
inline constexpr uint32_t kF_OFD_GETLK = 36;
inline constexpr uint32_t kF_OFD_SETLK = 37;
inline constexpr uint32_t kF_OFD_SETLKW = 38;
inline constexpr uint32_t kF_DUPFD_CLOEXEC = 1030;
inline constexpr uint32_t kF_SETPIPE_SZ = 1031;
inline constexpr uint32_t kF_GETPIPE_SZ = 1032;
inline constexpr uint32_t kF_ADD_SEALS = 1033;
inline constexpr uint32_t kF_GET_SEALS = 1034;
inline constexpr uint32_t kFD_CLOEXEC = 1;

// struct flock
struct LinuxFlock {
  int16_t l_type;
  int16_t l_whence;
  int32_t padding0;
  int64_t l_start;
  int64_t l_len;
  int32_t l_pid;
  int32_t padding1;
};
static_assert(sizeof(LinuxFlock) == 32);
inline constexpr int16_t kF_RDLCK = 0;
inline constexpr int16_t kF_WRLCK = 1;
inline constexpr int16_t kF_UNLCK = 2;

// flock
inline constexpr uint32_t kLOCK_SH = 1;
inline constexpr uint32_t kLOCK_EX = 2;
inline constexpr uint32_t kLOCK_NB = 4;
inline constexpr uint32_t kLOCK_UN = 8;

// poll
struct LinuxPollfd {
  int32_t fd;
  int16_t events;
  int16_t revents;
};
inline constexpr uint32_t kPOLLIN = 0x001;
inline constexpr uint32_t kPOLLPRI = 0x002;
inline constexpr uint32_t kPOLLOUT = 0x004;
inline constexpr uint32_t kPOLLERR = 0x008;
inline constexpr uint32_t kPOLLHUP = 0x010;
inline constexpr uint32_t kPOLLNVAL = 0x020;
inline constexpr uint32_t kPOLLRDNORM = 0x040;
inline constexpr uint32_t kPOLLRDBAND = 0x080;
inline constexpr uint32_t kPOLLWRNORM = 0x100;
inline constexpr uint32_t kPOLLWRBAND = 0x200;
inline constexpr uint32_t kPOLLRDHUP = 0x2000;
inline constexpr int32_t kFD_SETSIZE = 1024;

// The sixth argument of pselect6.
struct LinuxSigsetArgument {
  uint64_t set;
  uint64_t size;
};

// epoll
struct __attribute__((packed)) LinuxEpollEvent {
  uint32_t events;
  uint64_t data;
};
static_assert(sizeof(LinuxEpollEvent) == 12);
inline constexpr int32_t kEPOLL_CTL_ADD = 1;
inline constexpr int32_t kEPOLL_CTL_DEL = 2;
inline constexpr int32_t kEPOLL_CTL_MOD = 3;
inline constexpr uint32_t kEPOLLEXCLUSIVE = 1u << 28;
inline constexpr uint32_t kEPOLLWAKEUP = 1u << 29;
inline constexpr uint32_t kEPOLLONESHOT = 1u << 30;
inline constexpr uint32_t kEPOLLET = 1u << 31;

inline constexpr uint32_t kEFD_SEMAPHORE = 1;

// memfd_create
inline constexpr uint32_t kMFD_CLOEXEC = 1;
inline constexpr uint32_t kMFD_ALLOW_SEALING = 2;
inline constexpr uint32_t kMFD_NOEXEC_SEAL = 8;
inline constexpr uint32_t kMFD_EXEC = 16;
inline constexpr uint32_t kF_SEAL_SEAL = 1;
inline constexpr uint32_t kF_SEAL_SHRINK = 2;
inline constexpr uint32_t kF_SEAL_GROW = 4;
inline constexpr uint32_t kF_SEAL_WRITE = 8;
inline constexpr uint32_t kF_SEAL_FUTURE_WRITE = 16;
inline constexpr uint32_t kF_SEAL_EXEC = 32;

// ioctl
inline constexpr uint32_t kTCGETS = 0x5401;
inline constexpr uint32_t kTIOCGWINSZ = 0x5413;
inline constexpr uint32_t kFIONREAD = 0x541b;
inline constexpr uint32_t kFIONBIO = 0x5421;
inline constexpr uint32_t kFIONCLEX = 0x5450;
inline constexpr uint32_t kFIOCLEX = 0x5451;
struct LinuxWinsize {
  uint16_t ws_row;
  uint16_t ws_col;
  uint16_t ws_xpixel;
  uint16_t ws_ypixel;
};
// The kernel's struct termios.
struct LinuxTermios {
  uint32_t c_iflag;
  uint32_t c_oflag;
  uint32_t c_cflag;
  uint32_t c_lflag;
  uint8_t c_line;
  uint8_t c_cc[19];
};
static_assert(sizeof(LinuxTermios) == 36);

// dev_t as it is in struct stat; numbers of ours are small, so the old and new forms agree.
constexpr uint64_t MakeDevice(uint32_t major, uint32_t minor) {
  return (uint64_t{major & 0xfffff000} << 32) | (uint64_t{major & 0xfff} << 8) |
         (uint64_t{minor & 0xffffff00} << 12) | (minor & 0xff);
}
constexpr uint32_t DeviceMajor(uint64_t device) {
  return static_cast<uint32_t>((device >> 32 & 0xfffff000) | (device >> 8 & 0xfff));
}
constexpr uint32_t DeviceMinor(uint64_t device) {
  return static_cast<uint32_t>((device >> 12 & 0xffffff00) | (device & 0xff));
}

}  // namespace nsgx::libos
