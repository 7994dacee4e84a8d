#include "czstd.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

_Static_assert(sizeof(czstd_input) == sizeof(ZSTD_inBuffer), "the same layout");
_Static_assert(offsetof(czstd_input, position) == offsetof(ZSTD_inBuffer, pos), "the same layout");
_Static_assert(sizeof(czstd_output) == sizeof(ZSTD_outBuffer), "the same layout");
_Static_assert(CZSTD_CONTINUE == ZSTD_e_continue && CZSTD_FLUSH == ZSTD_e_flush &&
                   CZSTD_END == ZSTD_e_end,
               "the same numbers");

static void *found(const char *name) {
  void *library = dlopen("libzstd.so.1", RTLD_LAZY | RTLD_LOCAL);
  void *function = library ? dlsym(library, name) : 0;
  if (!function) {
    fprintf(stderr, "libzstd cannot be used: %s\n", dlerror());
    abort();
  }
  return function;
}

#define FUNCTION(NAME) \
  static typeof(NAME) *known_##NAME; \
  typeof(NAME) *NAME##_ = __atomic_load_n(&known_##NAME, __ATOMIC_ACQUIRE); \
  if (!NAME##_) { \
    NAME##_ = found(#NAME); \
    __atomic_store_n(&known_##NAME, NAME##_, __ATOMIC_RELEASE); \
  }

static int outcome(size_t result) {
  FUNCTION(ZSTD_isError)
  return ZSTD_isError_(result) ? -1 : result > 0;
}

void *czstd_make_inflater(int window_log_max) {
  FUNCTION(ZSTD_createDCtx)
  FUNCTION(ZSTD_DCtx_setParameter)
  ZSTD_DCtx *inflater = ZSTD_createDCtx_();
  if (inflater) ZSTD_DCtx_setParameter_(inflater, ZSTD_d_windowLogMax, window_log_max);
  return inflater;
}

void czstd_free_inflater(void *inflater) {
  FUNCTION(ZSTD_freeDCtx)
  ZSTD_freeDCtx_(inflater);
}

int czstd_inflate(void *inflater, czstd_output *output, czstd_input *input) {
  FUNCTION(ZSTD_decompressStream)
  return outcome(
      ZSTD_decompressStream_(inflater, (ZSTD_outBuffer *)output, (ZSTD_inBuffer *)input));
}

void *czstd_make_deflater(int level) {
  FUNCTION(ZSTD_createCCtx)
  FUNCTION(ZSTD_CCtx_setParameter)
  ZSTD_CCtx *deflater = ZSTD_createCCtx_();
  if (deflater) {
    ZSTD_CCtx_setParameter_(deflater, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter_(deflater, ZSTD_c_checksumFlag, 1);
  }
  return deflater;
}

void czstd_free_deflater(void *deflater) {
  FUNCTION(ZSTD_freeCCtx)
  ZSTD_freeCCtx_(deflater);
}

int czstd_deflate(void *deflater, czstd_output *output, czstd_input *input, int mode) {
  FUNCTION(ZSTD_compressStream2)
  return outcome(ZSTD_compressStream2_(deflater, (ZSTD_outBuffer *)output,
                                       (ZSTD_inBuffer *)input, (ZSTD_EndDirective)mode));
}
