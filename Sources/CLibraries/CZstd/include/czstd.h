// Streams in and out of Zstandard (RFC 8878). The library is loaded by its first call: only captures
// and replays need it.
#pragma once
#include <stddef.h>

typedef struct {
  const void *bytes;
  size_t size;
  size_t position;
} czstd_input;

typedef struct {
  void *bytes;
  size_t size;
  size_t position;
} czstd_output;

void *czstd_make_inflater(int window_log_max);
void czstd_free_inflater(void *inflater);
// 0 at the end of a frame, a positive number while more is expected, negative for damage.
int czstd_inflate(void *inflater, czstd_output *output, czstd_input *input);

enum { CZSTD_CONTINUE, CZSTD_FLUSH, CZSTD_END };

void *czstd_make_deflater(int level);
void czstd_free_deflater(void *deflater);
// 0 when everything asked for is out, positive while more room is needed, negative for a failure.
int czstd_deflate(void *deflater, czstd_output *output, czstd_input *input, int mode);
