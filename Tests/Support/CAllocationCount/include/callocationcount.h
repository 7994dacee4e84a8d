// Counts heap allocations of the calling thread, by standing in front of the C library's own.
#pragma once
#include <stdint.h>

/// How many times this thread has asked for memory since it began; -1 where it cannot be counted
/// (under a sanitizer, which has an allocator of its own).
int64_t allocation_count(void);
