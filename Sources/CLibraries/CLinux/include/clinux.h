// What Swift cannot spell: headers outside the Glibc module, macros, and types with flexible layout.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#pragma clang assume_nonnull begin

/// Tells the processor that this is a spin loop.
static inline void clinux_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// CLOCK_MONOTONIC in nanoseconds.
static inline uint64_t clinux_monotonic_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/// CLOCK_REALTIME in nanoseconds since 1970.
static inline int64_t clinux_realtime_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000000000ll + (int64_t)t.tv_nsec;
}

/// errno as a function, for callers that cannot see the macro.
static inline int clinux_errno(void) { return errno; }

/// The process's environment, ended by a null entry.
static inline char *_Nullable *_Nonnull clinux_environment(void) {
  extern char **environ;
  return environ;
}

/// prctl(PR_SET_PDEATHSIG): this process gets `signal` when the thread that started it ends.
static inline int clinux_die_with_parent(int signal) { return prctl(PR_SET_PDEATHSIG, signal); }

/// fcntl(2) F_OFD_SETLK: locks one byte of a file for this open of it, without waiting; 0 when it has
/// it. The kernel lets go of it with the last descriptor of the open, however its process ends.
int clinux_lock_byte(int fd, off_t byte);
int clinux_unlock_byte(int fd, off_t byte);
/// F_OFD_GETLK: whether another open of the file has that byte locked; takes no lock itself.
int clinux_byte_is_locked(int fd, off_t byte);

/// statfs(2): whether the files below `path` are in memory (tmpfs, ramfs).
int clinux_is_in_memory(const char *path);

/// open(2) without its variadic argument.
static inline int clinux_open(const char *path, int flags, mode_t mode) {
  return open(path, flags | O_CLOEXEC, mode);
}

/// fcntl(fd, F_SETFL, flags | O_NONBLOCK).
static inline int clinux_set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL, 0);
  if (flags < 0) return -1;
  return fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/// The event loop that runs on this thread, or null. Set once by the loop itself.
void *_Nullable clinux_thread_loop(void);
void clinux_set_thread_loop(void *_Nullable loop);

/// This thread's buffer 0, 1 or 2, 64 KB each, for bytes on their way through one call.
void *clinux_thread_buffer(int which);

/// Unmaps the pages of code and constants, which the page cache keeps: those that are used come back
/// by a fault each, those that only the start has used do not. Gives back what the heap has free, too.
void clinux_let_go_of_code(void);

/// The heap keeps what was freed for what comes next, instead of giving its end back to the kernel and
/// asking for it again with every burst.
void clinux_keep_heap(void);

/// accept4(2): nonblocking and closed on exec.
int clinux_accept(int listener, struct sockaddr *address, socklen_t *length);

/// epoll_ctl with the event spelled out.
static inline int clinux_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t tag) {
  struct epoll_event event;
  event.events = events;
  event.data.u64 = tag;
  return epoll_ctl(epoll, operation, fd, &event);
}

static const uint32_t CLINUX_READABLE = EPOLLIN;
static const uint32_t CLINUX_EDGE = EPOLLET;
static const uint32_t CLINUX_WRITABLE = EPOLLOUT;
static const uint32_t CLINUX_ERROR = EPOLLERR;
static const uint32_t CLINUX_HANGUP = EPOLLHUP;
static const uint32_t CLINUX_PEER_CLOSED = EPOLLRDHUP;
static inline uint32_t clinux_event_mask(const struct epoll_event *event) { return event->events; }
static inline uint64_t clinux_event_tag(const struct epoll_event *event) { return event->data.u64; }

/// Readable when a name comes into the folder or leaves it; -1 when it cannot be watched.
static inline int clinux_watch_folder(const char *path) {
  int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return -1;
  uint32_t names = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR;
  if (inotify_add_watch(fd, path, names) >= 0) return fd;
  close(fd);
  return -1;
}

/// The child gets no descriptor from `lowest` on (glibc 2.34).
int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int lowest);

#pragma clang assume_nonnull end
