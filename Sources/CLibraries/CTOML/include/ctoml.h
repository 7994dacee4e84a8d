// A TOML document as a flat list of its values, parsed by toml++ without exceptions.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin
#ifdef __cplusplus
extern "C" {
#endif

enum {
  CTOML_TABLE = 0,
  CTOML_ARRAY = 1,
  CTOML_STRING = 2,
  CTOML_INTEGER = 3,
  CTOML_FLOAT = 4,
  CTOML_BOOLEAN = 5,
  CTOML_MOMENT = 6,
};

typedef struct ctoml_document ctoml_document;

typedef struct {
  /// Dotted, in the document's order: `oms.max_order_size`; elements of an array are `oms.list.0`.
  const char *path;
  /// One of CTOML_*. A table or an array is followed by what it holds.
  int kind;
  /// The value as text: a string unquoted, `true`, `42`; empty for tables and arrays.
  const char *text;
  /// Length of text, which may hold zero bytes.
  size_t length;
  uint32_t line;
} ctoml_entry;

/// Null only when out of memory; free with ctoml_free.
ctoml_document *_Nullable ctoml_parse(const char *text, size_t length);
/// Null when the document is sound, else what is wrong; the line is ctoml_error_line.
const char *_Nullable ctoml_error(const ctoml_document *document);
uint32_t ctoml_error_line(const ctoml_document *document);
size_t ctoml_count(const ctoml_document *document);
ctoml_entry ctoml_at(const ctoml_document *document, size_t index);
void ctoml_free(ctoml_document *_Nullable document);

#ifdef __cplusplus
}
#endif
#pragma clang assume_nonnull end
