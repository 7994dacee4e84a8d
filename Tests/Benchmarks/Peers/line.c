// A cache line handed from one core to another and back, written in plain C11: what the machine takes,
// below which no ring can be. `line FIRST SECOND ROUNDS`: two cores; a line of output for each round of
// 100 exchanges, nanoseconds one way. The lines are those of a ring of 65,536 entries, in order.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { slots = 65536, batch = 100 };

struct line {
  _Alignas(64) _Atomic uint64_t sequence;
  uint64_t words[7];
};

static struct line there[slots], back[slots];
static int cores[2];
static uint64_t total;

static void pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void hand(struct line *line, uint64_t sequence, uint64_t value) {
  for (int i = 0; i < 7; i++) line->words[i] = value;
  atomic_store_explicit(&line->sequence, sequence, memory_order_release);
}

static uint64_t take(struct line *line, uint64_t sequence) {
  while (atomic_load_explicit(&line->sequence, memory_order_acquire) != sequence) {
  }
  return line->words[6];
}

static void *echo(void *unused) {
  (void)unused;
  pin(cores[1]);
  for (uint64_t i = 1; i <= total; i++) hand(&back[i % slots], i, take(&there[i % slots], i));
  return NULL;
}

int main(int count, char **words) {
  if (count != 4) return 2;
  cores[0] = atoi(words[1]);
  cores[1] = atoi(words[2]);
  total = (uint64_t)atoi(words[3]) * batch;
  pthread_t other;
  if (pthread_create(&other, NULL, echo, NULL) != 0) return 1;
  pin(cores[0]);
  uint64_t sequence = 0;
  while (sequence < total) {
    uint64_t start = now();
    for (int i = 0; i < batch; i++) {
      sequence++;
      hand(&there[sequence % slots], sequence, sequence);
      if (take(&back[sequence % slots], sequence) != sequence) return 1;
    }
    printf("%.2f\n", (double)(now() - start) / (2 * batch));
  }
  pthread_join(other, NULL);
  return 0;
}
