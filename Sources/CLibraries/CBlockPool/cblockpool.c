#define _DEFAULT_SOURCE
#include "cblockpool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// With their heads 40, 56, 72 ... bytes, the sizes that malloc tells apart.
enum { smallest = 24, step = 16, classes = 64, largest = smallest + (classes - 1) * step };

// Before each block, of which the library knows nothing: what malloc would have to be asked.
struct head {
  size_t size;   // of the block, without the head
  size_t class;  // `classes` for one that is not kept
};

static void *block_of(struct head *head) { return head + 1; }
static struct head *head_of(void *block) { return (struct head *)block - 1; }

struct kept {
  struct kept *next;
};

static _Thread_local struct kept *free_blocks[classes];
static _Thread_local size_t kept_bytes;
static _Thread_local bool is_armed;

static pthread_key_t at_thread_end;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

// A thread that ends gives back what it kept.
static void give_back(void *unused) {
  (void)unused;
  for (size_t class = 0; class < classes; class += 1) {
    while (free_blocks[class]) {
      struct kept *block = free_blocks[class];
      free_blocks[class] = block->next;
      free(head_of(block));
    }
  }
  kept_bytes = 0;
}

static void make_key(void) { pthread_key_create(&at_thread_end, give_back); }

// Out of line, so that freeing a block saves no registers for it.
__attribute__((noinline, cold)) static void arm(void) {
  pthread_once(&key_once, make_key);
  // The destructor runs for a value that is not null.
  pthread_setspecific(at_thread_end, &is_armed);
  is_armed = true;
}

size_t cblockpool_kept(void) { return kept_bytes; }

// Tables of one page that begin as zeros, such as nghttp2's map of streams, each a page of addresses
// of its own: one that nothing was ever put into takes no memory. malloc would clear it, and so pay.
enum { page_bytes = 4096, pages_max = 1 << 18 };

static char *pages;
static uint32_t *free_pages;
static uint32_t free_page_count;
static uint32_t pages_begun;
static pthread_mutex_t pages_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t pages_once = PTHREAD_ONCE_INIT;

static void *reserve(size_t bytes) {
  void *place = mmap(
      NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return place == MAP_FAILED ? NULL : place;
}

// Addresses only. Where they are not to be had, or pages are larger, malloc does.
static void reserve_pages(void) {
  if (sysconf(_SC_PAGESIZE) != page_bytes) return;
  free_pages = reserve(pages_max * sizeof *free_pages);
  char *place = reserve((size_t)pages_max * page_bytes);
  if (!free_pages || !place) return;
  // One touched page must not bring its 511 neighbours.
  madvise(place, (size_t)pages_max * page_bytes, MADV_NOHUGEPAGE);
  pages = place;
}

static bool is_page(const void *block) {
  return (uintptr_t)block - (uintptr_t)pages < (uintptr_t)pages_max * page_bytes && pages;
}

static void *take_page(void) {
  pthread_once(&pages_once, reserve_pages);
  if (!pages) return NULL;
  void *page = NULL;
  pthread_mutex_lock(&pages_lock);
  if (free_page_count > 0) {
    page = pages + (size_t)free_pages[--free_page_count] * page_bytes;
  } else if (pages_begun < pages_max) {
    page = pages + (size_t)pages_begun++ * page_bytes;
  }
  pthread_mutex_unlock(&pages_lock);
  return page;
}

static void give_page_back(void *page) {
  // Zeros again for who has it next, and no memory until then.
  madvise(page, page_bytes, MADV_DONTNEED);
  pthread_mutex_lock(&pages_lock);
  free_pages[free_page_count++] = (uint32_t)(((char *)page - pages) / page_bytes);
  pthread_mutex_unlock(&pages_lock);
}

static void *fresh(size_t size, size_t class) {
  struct head *head = malloc(sizeof *head + size);
  if (!head) return NULL;
  *head = (struct head){size, class};
  return block_of(head);
}

void *cblockpool_malloc(size_t size, void *unused) {
  (void)unused;
  if (size > largest) return size < SIZE_MAX / 2 ? fresh(size, classes) : NULL;
  size_t class = size <= smallest ? 0 : (size - smallest + step - 1) / step;
  struct kept *block = free_blocks[class];
  if (!block) return fresh(smallest + class * step, class);
  free_blocks[class] = block->next;
  kept_bytes -= smallest + class * step;
  return block;
}

__attribute__((noinline)) static void free_other(void *block) {
  if (is_page(block)) give_page_back(block);
  else free(head_of(block));
}

void cblockpool_free(void *block, void *unused) {
  (void)unused;
  if (!block) return;
  if (((uintptr_t)block & (page_bytes - 1)) == 0) {
    free_other(block);
    return;
  }
  struct head *head = head_of(block);
  size_t class = head->class;
  if (class == classes || kept_bytes + head->size > CBLOCKPOOL_BYTES_MAX) {
    free(head);
    return;
  }
  if (!is_armed) arm();
  struct kept *first = block;
  first->next = free_blocks[class];
  free_blocks[class] = first;
  kept_bytes += head->size;
}

void *cblockpool_calloc(size_t members, size_t size, void *unused) {
  size_t bytes;
  if (__builtin_mul_overflow(members, size, &bytes)) return NULL;
  if (bytes == page_bytes) {
    void *page = take_page();
    if (page) return page;
  }
  void *block = cblockpool_malloc(bytes, unused);
  if (block) memset(block, 0, bytes);
  return block;
}

void *cblockpool_realloc(void *block, size_t size, void *unused) {
  if (!block) return cblockpool_malloc(size, unused);
  if (size == 0) {
    cblockpool_free(block, unused);
    return NULL;
  }
  size_t old = is_page(block) ? page_bytes : head_of(block)->size;
  if (size <= old && size > old / 2) return block;
  void *moved = cblockpool_malloc(size, unused);
  if (!moved) return NULL;
  memcpy(moved, block, old < size ? old : size);
  cblockpool_free(block, unused);
  return moved;
}
