// Memory for a library that allocates and frees the same few sizes again and again, on threads that
// do many things between. glibc keeps seven freed blocks of a size at hand per thread; a server with
// hundreds of calls in flight needs more, and otherwise pays for merging and splitting them.
#pragma once
#include <stddef.h>

#pragma clang assume_nonnull begin

// Like malloc and its kin, with an argument that is not looked at. Blocks are those of malloc: they
// may be freed on another thread, and each thread keeps at most `CBLOCKPOOL_BYTES_MAX` for later.
// A page of zeros comes from addresses of their own and takes memory when it is first written to.
void *_Nullable cblockpool_malloc(size_t size, void *_Nullable unused);
void cblockpool_free(void *_Nullable block, void *_Nullable unused);
void *_Nullable cblockpool_calloc(size_t members, size_t size, void *_Nullable unused);
void *_Nullable cblockpool_realloc(void *_Nullable block, size_t size, void *_Nullable unused);

/// Bytes that one thread keeps; what is freed beyond them goes back to malloc.
#define CBLOCKPOOL_BYTES_MAX (512 * 1024)

/// Bytes that this thread keeps now.
size_t cblockpool_kept(void);

#pragma clang assume_nonnull end
