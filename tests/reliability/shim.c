// Stands before the C library and makes calls on files of one folder behave as SHIM_* says:
//   SHIM_NO_FLOCK   flock does nothing and says it worked, as on some network file systems
//   SHIM_FOLDER     the part of a path that makes it one of ours
//   SHIM_JITTER     a seed: reads and writes are cut short or end with EINTR, at random
//   SHIM_ERRNO      the error of the calls named in
//   SHIM_CALLS      any of open, write, read, reserve, sync, rename; from the
//   SHIM_FROM       n-th of them on (from 0), so many times as
//   SHIM_TIMES      says
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { kFiles = 65536 };
static atomic_bool ours[kFiles];
static atomic_long calls;
static atomic_ulong draws;

static long setting(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text ? atol(text) : otherwise;
}

static int is_ours(const char *path) {
  const char *folder = getenv("SHIM_FOLDER");
  return folder && path && strstr(path, folder) != NULL;
}

static int fails(const char *call) {
  const char *named = getenv("SHIM_CALLS");
  if (!named || !strstr(named, call)) return 0;
  const long from = setting("SHIM_FROM", 0), number = atomic_fetch_add(&calls, 1);
  if (number < from || number >= from + setting("SHIM_TIMES", 1)) return 0;
  errno = (int)setting("SHIM_ERRNO", EIO);
  return 1;
}

static uint64_t draw(void) {
  uint64_t lane = (atomic_fetch_add(&draws, 1) + (uint64_t)setting("SHIM_JITTER", 0) * 7919 + 1) *
                  0x9E3779B97F4A7C15u;
  lane = (lane ^ (lane >> 30)) * 0xBF58476D1CE4E5B9u;
  lane = (lane ^ (lane >> 27)) * 0x94D049BB133111EBu;
  return lane ^ (lane >> 31);
}

// What is left of a transfer of so many bytes; 0 for EINTR.
static size_t jittered(size_t count) {
  if (!getenv("SHIM_JITTER") || count == 0) return count;
  const uint64_t lane = draw();
  if (lane % 4 == 0) {
    errno = EINTR;
    return 0;
  }
  return lane % 4 == 1 ? 1 + (lane >> 8) % count : count;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opened(int fd, const char *path) {
  if (fd >= 0 && fd < kFiles) ours[fd] = is_ours(path);
  return fd;
}

#define OPEN(name)                                           \
  int name(const char *path, int flags, ...) {               \
    va_list rest;                                            \
    va_start(rest, flags);                                   \
    const mode_t mode = va_arg(rest, mode_t);                \
    va_end(rest);                                            \
    if (is_ours(path) && fails("open")) return -1;           \
    return opened(REAL(name)(path, flags, mode), path);      \
  }
OPEN(open)
OPEN(open64)

static int marked(int fd) { return fd >= 0 && fd < kFiles && ours[fd]; }

int close(int fd) {
  if (fd >= 0 && fd < kFiles) ours[fd] = 0;
  return REAL(close)(fd);
}

ssize_t write(int fd, const void *data, size_t count) {
  if (marked(fd)) {
    if (fails("write")) return -1;
    const size_t some = jittered(count);
    if (some == 0 && count > 0) return -1;
    count = some;
  }
  return REAL(write)(fd, data, count);
}

#define PREAD(name)                                             \
  ssize_t name(int fd, void *data, size_t count, off_t at) {    \
    if (marked(fd)) {                                           \
      if (fails("read")) return -1;                             \
      const size_t some = jittered(count);                      \
      if (some == 0 && count > 0) return -1;                    \
      count = some;                                             \
    }                                                           \
    return REAL(name)(fd, data, count, at);                     \
  }
PREAD(pread)
PREAD(pread64)

int fallocate(int fd, int mode, off_t from, off_t count) {
  if (marked(fd) && fails("reserve")) return -1;
  return REAL(fallocate)(fd, mode, from, count);
}

int fsync(int fd) {
  if (marked(fd) && fails("sync")) return -1;
  return REAL(fsync)(fd);
}

int rename(const char *from, const char *to) {
  if (is_ours(from) && fails("rename")) return -1;
  return REAL(rename)(from, to);
}

int flock(int fd, int how) {
  if (getenv("SHIM_NO_FLOCK")) return 0;
  int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
  return real(fd, how);
}
