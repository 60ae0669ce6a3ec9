/* Lets the n-th system call of one kind fail. Loaded with LD_PRELOAD; counts calls on files below one folder.
 *
 * A fault is armed in a fork, just before its command runs. What it hit is in memory that both processes share.
 * Calls that libc makes by itself do not come by here: those that Python, SQLite and other libraries make do.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The groups of calls, as bits: faults.py has the same numbers. */
enum { READS = 1, WRITES = 2, SYNCS = 4, OPENS = 8, NAMES = 16, SIZES = 32, MAPS = 64, CREATES = 128 };

static struct shared {
    long seen, counted, fired;
    char what[512];
} *shared;

static int armed, number, is_short, lasts;
static unsigned groups;
static long at;
static char folder[PATH_MAX];

__attribute__((constructor)) static void set_up(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* From now on the call number `n` of `mask`, on files below `below`, fails with `error`; with `go_on`, all after
 * it do, too. With 0 for `error` it writes half of what it should. With -1 for `n` calls are only counted. */
void memos_arm(long n, int error, unsigned mask, int go_on, const char *below) {
    shared->seen = shared->fired = shared->what[0] = 0;
    if (n < 0) shared->counted = 0;
    at = n, number = error, is_short = !error, groups = mask, lasts = go_on;
    snprintf(folder, sizeof folder, "%s/", below);
    armed = 1;
}
/* The calls of the last run in which they were only counted. */
long memos_counted(void) { return shared->counted; }
long memos_fired(void) { return shared->fired; }
const char *memos_what(void) { return shared->what; }

/* Whether this call on `path` shall fail. */
static int hits(unsigned group, const char *call, const char *path) {
    if (!armed || strncmp(path, folder, strlen(folder))) return 0;
    if (!(group & groups)) return 0;
    long now = shared->seen++;
    if (at < 0) shared->counted++;
    if (at < 0 || now < at || (now > at && !lasts)) return 0;
    if (!shared->fired++) snprintf(shared->what, sizeof shared->what, "%s %s", call, path + strlen(folder));
    errno = number;
    return 1;
}
static int hits_file(unsigned group, const char *call, int fd) {
    if (!armed) return 0;
    char link[64], path[PATH_MAX];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    return hits(group, call, path);
}
static int hits_name(unsigned group, const char *call, int dir, const char *name) {
    char path[2 * PATH_MAX];
    if (!armed || !name) return 0;
    if (name[0] == '/') return hits(group, call, name);
    int before = errno;
    ssize_t length = 0;
    if (dir == AT_FDCWD) {
        if (getcwd(path, PATH_MAX)) length = strlen(path);
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        length = readlink(link, path, PATH_MAX - 1);
    }
    errno = before;
    if (length <= 0) return 0;
    snprintf(path + length, sizeof path - length, "/%s", name);
    return hits(group, call, path);
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define WRITE(name, declared, count, ...) \
    ssize_t name declared { \
        REAL(name); \
        if (hits_file(WRITES, #name, fd)) { \
            if (!is_short) return -1; \
            count = count > 1 ? count / 2 : count; \
        } \
        return real(__VA_ARGS__); \
    }
#define FILE_CALL(type, name, group, failed, declared, ...) \
    type name declared { \
        REAL(name); \
        if (hits_file(group, #name, fd)) return failed; \
        return real(__VA_ARGS__); \
    }
#define NAME_CALL(group, name, dir, path, declared, ...) \
    int name declared { \
        REAL(name); \
        if (hits_name(group, #name, dir, path)) return -1; \
        return real(__VA_ARGS__); \
    }
#define OPEN(name, dir, declared, ...) \
    int name declared { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list more; \
            va_start(more, flags); \
            mode = va_arg(more, mode_t); \
            va_end(more); \
        } \
        if (hits_name(OPENS | (flags & O_CREAT ? CREATES : 0), #name, dir, path)) return -1; \
        return real(__VA_ARGS__); \
    }

OPEN(open, AT_FDCWD, (const char *path, int flags, ...), path, flags, mode)
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), path, flags, mode)
OPEN(openat, dir, (int dir, const char *path, int flags, ...), dir, path, flags, mode)
OPEN(openat64, dir, (int dir, const char *path, int flags, ...), dir, path, flags, mode)

WRITE(write, (int fd, const void *data, size_t count), count, fd, data, count)
WRITE(pwrite, (int fd, const void *data, size_t count, off_t at), count, fd, data, count, at)
WRITE(pwrite64, (int fd, const void *data, size_t count, off64_t at), count, fd, data, count, at)

FILE_CALL(ssize_t, read, READS, -1, (int fd, void *data, size_t count), fd, data, count)
FILE_CALL(ssize_t, pread, READS, -1, (int fd, void *data, size_t count, off_t at), fd, data, count, at)
FILE_CALL(ssize_t, pread64, READS, -1, (int fd, void *data, size_t count, off64_t at), fd, data, count, at)
FILE_CALL(ssize_t, preadv, READS, -1, (int fd, const struct iovec *parts, int count, off_t at), fd, parts, count, at)
FILE_CALL(ssize_t, preadv64, READS, -1, (int fd, const struct iovec *parts, int count, off64_t at), fd, parts, count, at)
FILE_CALL(ssize_t, writev, WRITES, -1, (int fd, const struct iovec *parts, int count), fd, parts, count)
FILE_CALL(ssize_t, pwritev, WRITES, -1, (int fd, const struct iovec *parts, int count, off_t at), fd, parts, count, at)
FILE_CALL(int, fsync, SYNCS, -1, (int fd), fd)
FILE_CALL(int, fdatasync, SYNCS, -1, (int fd), fd)
FILE_CALL(int, ftruncate, SIZES, -1, (int fd, off_t size), fd, size)
FILE_CALL(int, ftruncate64, SIZES, -1, (int fd, off64_t size), fd, size)
FILE_CALL(int, posix_fallocate, SIZES, number, (int fd, off_t at, off_t size), fd, at, size)
FILE_CALL(int, fchmod, NAMES, -1, (int fd, mode_t mode), fd, mode)
FILE_CALL(void *, mmap, MAPS, MAP_FAILED, (void *to, size_t size, int may, int flags, int fd, off_t at), to, size, may, flags, fd, at)
FILE_CALL(void *, mmap64, MAPS, MAP_FAILED, (void *to, size_t size, int may, int flags, int fd, off64_t at), to, size, may, flags, fd, at)

NAME_CALL(NAMES, rename, AT_FDCWD, to, (const char *from, const char *to), from, to)
NAME_CALL(NAMES, renameat, other, to, (int dir, const char *from, int other, const char *to), dir, from, other, to)
NAME_CALL(NAMES | CREATES, link, AT_FDCWD, to, (const char *from, const char *to), from, to)
NAME_CALL(NAMES | CREATES, linkat, other, to, (int dir, const char *from, int other, const char *to, int flags), dir, from, other, to, flags)
NAME_CALL(NAMES | CREATES, symlink, AT_FDCWD, to, (const char *from, const char *to), from, to)
NAME_CALL(NAMES, unlink, AT_FDCWD, path, (const char *path), path)
NAME_CALL(NAMES, unlinkat, dir, path, (int dir, const char *path, int flags), dir, path, flags)
NAME_CALL(NAMES, rmdir, AT_FDCWD, path, (const char *path), path)
NAME_CALL(NAMES | CREATES, mkdir, AT_FDCWD, path, (const char *path, mode_t mode), path, mode)
NAME_CALL(NAMES | CREATES, mkdirat, dir, path, (int dir, const char *path, mode_t mode), dir, path, mode)
NAME_CALL(NAMES, chmod, AT_FDCWD, path, (const char *path, mode_t mode), path, mode)
