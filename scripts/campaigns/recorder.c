/* Records what a program does to the files below one folder, for powercut.py.
 *
 *   cc -shared -fPIC -O1 -o recorder.so recorder.c -ldl -lpthread
 *   LD_PRELOAD=recorder.so RECORD_ROOT=/folder RECORD_LOG=/log program
 *
 * One record an event, in the order in which they happened: "EVENT\0A\0B\0NUMBER\0LENGTH\n" and LENGTH bytes.
 *   create PATH inode mode     a new file           write  -    inode offset, and the bytes
 *   size   -    inode size     cut or lengthened    sync   -    inode
 *   folder PATH -     0        a folder was synced  mkdir  PATH -     mode
 *   rename FROM TO    0        link FROM TO 0       remove PATH -     0 (a file or an empty folder)
 *   mode   PATH -     mode
 * What is written through a mapping is not seen: SQLite does so with its -shm file, which need not last.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static char root[PATH_MAX];
static size_t root_length;
static int log_file = -1;

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define ENTER int saved; pthread_mutex_lock(&lock)
#define LEAVE(result) saved = errno; pthread_mutex_unlock(&lock); errno = saved; return result

/* Records from now on. A program that has this library preloaded may call it, after a fork too. */
void record_below(const char *folder, const char *log) {
  if (!folder || !log || !realpath(folder, root)) return;
  root_length = strlen(root);
  int opened = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  log_file = fcntl(opened, F_DUPFD_CLOEXEC, 900); /* out of the way of descriptors that programs count */
  syscall(SYS_close, opened);
}

__attribute__((constructor)) static void start(void) { record_below(getenv("RECORD_ROOT"), getenv("RECORD_LOG")); }

static void note(const char *event, const char *a, const char *b, long long number, const void *data,
                 size_t length) {
  char head[2 * PATH_MAX + 100];
  int at = snprintf(head, sizeof head, "%s%c%s%c%s%c%lld%c%zu\n", event, 0, a, 0, b, 0, number, 0, length);
  struct iovec parts[2] = {{head, (size_t)at}, {(void *)data, length}};
  if (syscall(SYS_writev, log_file, parts, 2) != (long)(at + length)) abort();
}

static int below(const char *path) {
  return log_file >= 0 && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

/* The path that a descriptor was opened by; "" if it is not below the folder. */
static const char *path_of(int file, char *into) {
  char name[40];
  int before = errno;
  snprintf(name, sizeof name, "/proc/self/fd/%d", file);
  ssize_t length = readlink(name, into, PATH_MAX - 1);
  into[length < 0 ? 0 : length] = 0;
  errno = before;
  return below(into) ? into : "";
}

/* Whether a path is below the folder; writes it as an absolute one without links in its folders. */
static int place(int at, const char *path, char *into) {
  char folder[PATH_MAX], whole[PATH_MAX];
  int before = errno;
  if (log_file < 0 || !path || !*path) return 0;
  const char *name = strrchr(path, '/');
  if (*path == '/') snprintf(whole, sizeof whole, "%.*s", (int)(name - path) + (name == path), path);
  else {
    if (at == AT_FDCWD) { if (!getcwd(folder, sizeof folder)) return 0; }
    else {
      char link[40];
      snprintf(link, sizeof link, "/proc/self/fd/%d", at);
      ssize_t length = readlink(link, folder, sizeof folder - 1);
      if (length < 0) return 0;
      folder[length] = 0;
    }
    if (snprintf(whole, sizeof whole, "%s/%.*s", folder, name ? (int)(name - path) : 0, path) >= PATH_MAX) return 0;
  }
  if (!realpath(whole, folder)) { errno = before; return 0; }
  errno = before;
  return snprintf(into, PATH_MAX, "%s/%s", folder, name ? name + 1 : path) < PATH_MAX && below(into);
}

static const char *inode(int file, struct stat *status, char *into) {
  char path[PATH_MAX];
  int before = errno;
  int is_ours = log_file >= 0 && !fstat(file, status) && S_ISREG(status->st_mode) && *path_of(file, path);
  errno = before;
  if (!is_ours) return NULL;
  sprintf(into, "%llu", (unsigned long long)status->st_ino);
  return into;
}

/* Opening. */

static int opened(int file, int flags, int existed, const char *path, off_t length) {
  struct stat status;
  char number[30];
  if (file < 0 || !path) return file;
  if (!inode(file, &status, number)) return file;
  if (!existed) note("create", path, number, status.st_mode & 07777, "", 0);
  else if ((flags & O_TRUNC) && length) note("size", "-", number, 0, "", 0);
  return file;
}

static int open_at(int folder, const char *path, int flags, mode_t mode) {
  char where[PATH_MAX];
  struct stat status = {0};
  int is_writing = flags & (O_CREAT | O_TRUNC);
  if (!is_writing || (flags & O_TMPFILE) == O_TMPFILE)
    return (int)syscall(SYS_openat, folder, path, flags, mode);
  ENTER;
  int before = errno;
  int is_ours = place(folder, path, where);
  int existed = is_ours && !fstatat(folder, path, &status, 0);
  errno = before;
  int file = (int)syscall(SYS_openat, folder, path, flags, mode);
  opened(file, flags, existed, is_ours ? where : NULL, status.st_size);
  LEAVE(file);
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }
int open(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_at(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_at(at, path, flags | O_LARGEFILE, mode); }
int __open_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags | O_LARGEFILE, 0); }
int creat(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* Writing. */

static void wrote(int file, off_t at, const void *data, ssize_t length) {
  struct stat status;
  char number[30];
  if (length > 0 && inode(file, &status, number)) note("write", "-", number, at, data, (size_t)length);
}

/* Where a write without an offset goes to. */
static off_t position(int file) {
  int before = errno, flags = fcntl(file, F_GETFL);
  off_t at = lseek(file, 0, flags >= 0 && (flags & O_APPEND) ? SEEK_END : SEEK_CUR);
  errno = before;
  return at;
}

ssize_t write(int file, const void *data, size_t length) {
  REAL(write);
  char path[PATH_MAX];
  if (log_file < 0 || !*path_of(file, path)) return real(file, data, length);
  ENTER;
  off_t at = position(file);
  ssize_t done = real(file, data, length);
  wrote(file, at, data, done);
  LEAVE(done);
}

ssize_t pwrite(int file, const void *data, size_t length, off_t at) {
  ENTER;
  ssize_t done = syscall(SYS_pwrite64, file, data, length, at);
  wrote(file, at, data, done);
  LEAVE(done);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t at) { return pwrite(file, data, length, at); }

static ssize_t many(int file, const struct iovec *parts, int count, off_t at, int moves) {
  ENTER;
  if (moves) at = position(file);
  ssize_t done = moves ? syscall(SYS_writev, file, parts, count)
                       : syscall(SYS_pwritev, file, parts, (long)count, (long)at, 0L);
  ssize_t left = done;
  for (int part = 0; part < count && left > 0; part++) {
    ssize_t length = left < (ssize_t)parts[part].iov_len ? left : (ssize_t)parts[part].iov_len;
    wrote(file, at, parts[part].iov_base, length);
    at += length;
    left -= length;
  }
  LEAVE(done);
}

ssize_t writev(int file, const struct iovec *parts, int count) { return many(file, parts, count, 0, 1); }
ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) { return many(file, parts, count, at, 0); }
ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at) { return many(file, parts, count, at, 0); }

/* What the kernel copied is read back. */
static void copied(int file, off_t at, ssize_t length) {
  char path[40], *data;
  if (length <= 0 || log_file < 0 || !(data = malloc((size_t)length))) return;
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  int back = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
  if (back >= 0 && pread(back, data, (size_t)length, at) == length) wrote(file, at, data, length);
  if (back >= 0) syscall(SYS_close, back);
  free(data);
}

ssize_t sendfile(int out, int in, off_t *from, size_t length) {
  ENTER;
  off_t at = position(out);
  ssize_t done = syscall(SYS_sendfile, out, in, from, length);
  copied(out, at, done);
  LEAVE(done);
}
ssize_t sendfile64(int out, int in, off64_t *from, size_t length) { return sendfile(out, in, from, length); }

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags) {
  ENTER;
  off_t at = to ? *to : position(out);
  ssize_t done = syscall(SYS_copy_file_range, in, from, out, to, length, flags);
  copied(out, at, done);
  LEAVE(done);
}

static int resized(int file, off_t size, int result) {
  struct stat status;
  char number[30];
  if (!result && inode(file, &status, number)) note("size", "-", number, size, "", 0);
  return result;
}

int ftruncate(int file, off_t size) {
  ENTER;
  int result = resized(file, size, (int)syscall(SYS_ftruncate, file, size));
  LEAVE(result);
}
int ftruncate64(int file, off64_t size) { return ftruncate(file, size); }

int truncate(const char *path, off_t size) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -1;
  int result = ftruncate(file, size);
  close(file);
  return result;
}
int truncate64(const char *path, off64_t size) { return truncate(path, size); }

/* Syncing. */

static int synced(int file, int result) {
  struct stat status;
  char path[PATH_MAX], number[30];
  if (result || log_file < 0 || !*path_of(file, path)) return result;
  if (inode(file, &status, number)) note("sync", "-", number, 0, "", 0);
  else if (S_ISDIR(status.st_mode)) note("folder", path, "-", 0, "", 0);
  return result;
}

int fsync(int file) {
  ENTER;
  int result = synced(file, (int)syscall(SYS_fsync, file));
  LEAVE(result);
}
int fdatasync(int file) {
  ENTER;
  int result = synced(file, (int)syscall(SYS_fdatasync, file));
  LEAVE(result);
}

/* Names. */

static int two(const char *event, int at, const char *from, int to_at, const char *to, long call, int flags) {
  char first[PATH_MAX], second[PATH_MAX];
  ENTER;
  int is_ours = place(at, from, first) & place(to_at, to, second);
  int result = (int)syscall(call, at, from, to_at, to, flags);
  if (!result && is_ours) note(event, first, second, 0, "", 0);
  LEAVE(result);
}
int rename(const char *from, const char *to) { return two("rename", AT_FDCWD, from, AT_FDCWD, to, SYS_renameat2, 0); }
int renameat(int a, const char *from, int b, const char *to) { return two("rename", a, from, b, to, SYS_renameat2, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return two("rename", a, from, b, to, SYS_renameat2, (int)flags); }
int link(const char *from, const char *to) { return two("link", AT_FDCWD, from, AT_FDCWD, to, SYS_linkat, 0); }
int linkat(int a, const char *from, int b, const char *to, int flags) { return two("link", a, from, b, to, SYS_linkat, flags); }

static int removed(int at, const char *path, int flags) {
  char where[PATH_MAX];
  ENTER;
  int is_ours = place(at, path, where);
  int result = (int)syscall(SYS_unlinkat, at, path, flags);
  if (!result && is_ours) note("remove", where, "-", 0, "", 0);
  LEAVE(result);
}
int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return removed(at, path, flags); }
int rmdir(const char *path) { return removed(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
  int result = unlink(path);
  return result && (errno == EISDIR || errno == EPERM) ? rmdir(path) : result;
}

int mkdirat(int at, const char *path, mode_t mode) {
  char where[PATH_MAX];
  ENTER;
  int is_ours = place(at, path, where);
  int result = (int)syscall(SYS_mkdirat, at, path, mode);
  if (!result && is_ours) note("mkdir", where, "-", mode & 07777, "", 0);
  LEAVE(result);
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int fchmodat(int at, const char *path, mode_t mode, int flags) {
  char where[PATH_MAX];
  ENTER;
  int is_ours = place(at, path, where);
  int result = (int)syscall(SYS_fchmodat, at, path, mode);
  (void)flags;
  if (!result && is_ours) note("mode", where, "-", mode & 07777, "", 0);
  LEAVE(result);
}
int chmod(const char *path, mode_t mode) { return fchmodat(AT_FDCWD, path, mode, 0); }
