#define _GNU_SOURCE
#include <linux/magic.h>
#include <sys/statfs.h>
#include "clinux.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>

static _Thread_local void *current_loop;

void *clinux_thread_loop(void) { return current_loop; }
void clinux_set_thread_loop(void *loop) { current_loop = loop; }

// Zero pages until used: a thread without connections pays for addresses only.
static _Thread_local char buffers[3][64 * 1024];

void *clinux_thread_buffer(int which) { return buffers[which]; }

int clinux_accept(int listener, struct sockaddr *address, socklen_t *length) {
  return accept4(listener, address, length, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static int let_go(struct dl_phdr_info *object, size_t size, void *unused) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (int i = 0; i < object->dlpi_phnum; i += 1) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    // What is writable, or was until it was relocated, is ours alone and must stay.
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W)) continue;
    uintptr_t begin = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
    uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
    madvise((void *)begin, end - begin, MADV_DONTNEED);
  }
  return 0;
}

void clinux_keep_heap(void) {
  mallopt(M_TRIM_THRESHOLD, 16 << 20);
  mallopt(M_TOP_PAD, 1 << 20);
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
}

void clinux_let_go_of_code(void) {
  dl_iterate_phdr(let_go, 0);
  // What the start has freed at the heap's end, which `clinux_keep_heap` would keep.
  malloc_trim(0);
}

int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int lowest) {
  return posix_spawn_file_actions_addclosefrom_np(actions, lowest);
}

static struct flock one_byte(short type, off_t byte) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
  return lock;
}

int clinux_lock_byte(int fd, off_t byte) {
  struct flock lock = one_byte(F_WRLCK, byte);
  return fcntl(fd, F_OFD_SETLK, &lock);
}

int clinux_unlock_byte(int fd, off_t byte) {
  struct flock lock = one_byte(F_UNLCK, byte);
  return fcntl(fd, F_OFD_SETLK, &lock);
}

int clinux_byte_is_locked(int fd, off_t byte) {
  struct flock lock = one_byte(F_WRLCK, byte);
  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int clinux_is_in_memory(const char *path) {
  struct statfs status;
  return statfs(path, &status) == 0
      && (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}
