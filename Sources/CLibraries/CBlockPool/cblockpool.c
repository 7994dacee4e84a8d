#include "cblockpool.h"

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// A class for each size that malloc tells apart: 24, 40, 56 ... bytes of use.
enum { smallest = 24, step = 16, classes = 64, largest = smallest + (classes - 1) * step };

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
      free(block);
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

void *cblockpool_malloc(size_t size, void *unused) {
  (void)unused;
  if (size > largest) return malloc(size);
  size_t class = size <= smallest ? 0 : (size - smallest + step - 1) / step;
  struct kept *block = free_blocks[class];
  if (!block) return malloc(smallest + class * step);
  free_blocks[class] = block->next;
  kept_bytes -= smallest + class * step;
  return block;
}

void cblockpool_free(void *block, void *unused) {
  (void)unused;
  if (!block) return;
  // A block may be larger than what was asked for; its class is the largest that fits into it.
  size_t size = malloc_usable_size(block);
  if (size < smallest || size > largest + step - 1) {
    free(block);
    return;
  }
  size_t class = (size - smallest) / step;
  size_t counted = smallest + class * step;
  if (kept_bytes + counted > CBLOCKPOOL_BYTES_MAX) {
    free(block);
    return;
  }
  if (!is_armed) arm();
  struct kept *first = block;
  first->next = free_blocks[class];
  free_blocks[class] = first;
  kept_bytes += counted;
}

void *cblockpool_calloc(size_t members, size_t size, void *unused) {
  size_t bytes;
  if (__builtin_mul_overflow(members, size, &bytes)) return NULL;
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
  size_t old = malloc_usable_size(block);
  if (old > largest && size > largest) return realloc(block, size);
  if (size <= old && size > old / 2) return block;
  void *moved = cblockpool_malloc(size, unused);
  if (!moved) return NULL;
  memcpy(moved, block, old < size ? old : size);
  cblockpool_free(block, unused);
  return moved;
}
