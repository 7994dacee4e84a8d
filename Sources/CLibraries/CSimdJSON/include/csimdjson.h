// simdjson's structural index (UTF-8 and string validation, vectorised) and over it a strict walk
// that leaves a flat array of nodes. Numbers are checked against the grammar and kept as text.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

static const uint8_t CSIMDJSON_NULL = 0;
static const uint8_t CSIMDJSON_FALSE = 1;
static const uint8_t CSIMDJSON_TRUE = 2;
static const uint8_t CSIMDJSON_NUMBER = 3;
static const uint8_t CSIMDJSON_STRING = 4;
static const uint8_t CSIMDJSON_ARRAY = 5;
static const uint8_t CSIMDJSON_OBJECT = 6;

// Containers within containers; a caller's own limit is at most this.
enum { CSIMDJSON_DEPTH_MAX = 256 };

// One value. An array's node is followed by its elements' subtrees, an object's by its keys (string
// nodes) each followed by its value's subtree.
typedef struct {
  uint32_t start;   // first byte of the source text: the opening bracket, the byte after a quote
  uint32_t end;     // one past the last: after the closing bracket, at the closing quote
  uint32_t next;    // index of the node after this subtree
  uint32_t count;   // elements of an array, members of an object; 1 for a string with escapes
  uint8_t kind;
} csimdjson_node;

typedef enum {
  CSIMDJSON_OK = 0,
  CSIMDJSON_EMPTY,
  CSIMDJSON_TOO_LONG,
  CSIMDJSON_TOO_DEEP,
  CSIMDJSON_BAD_UTF8,
  CSIMDJSON_UNCLOSED_STRING,
  CSIMDJSON_CONTROL_IN_STRING,
  CSIMDJSON_BAD_ESCAPE,
  CSIMDJSON_BAD_NUMBER,
  CSIMDJSON_BAD_LITERAL,
  CSIMDJSON_EXPECTED_VALUE,
  CSIMDJSON_EXPECTED_KEY,
  CSIMDJSON_EXPECTED_COLON,
  CSIMDJSON_EXPECTED_COMMA,
  CSIMDJSON_TRAILING,
  CSIMDJSON_UNFINISHED,
  CSIMDJSON_NO_MEMORY,
} csimdjson_status;

// On success `*nodes` holds `*node_count` nodes in one malloc'ed block, the root first; on failure
// `*error_offset` is the byte where the text stops making sense.
csimdjson_status csimdjson_parse(
    const uint8_t *_Nullable bytes, size_t length, uint32_t depth_max,
    csimdjson_node *_Nullable *_Nonnull nodes, size_t *node_count, size_t *error_offset);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif
