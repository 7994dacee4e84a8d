// simdjson's structural index (UTF-8 and string validation, vectorised) and over it a strict walk
// that leaves a flat array of nodes. Numbers are checked against the grammar and kept as text.
#pragma once
#include <stdbool.h>
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

// Nodes are written into `*nodes`, malloc'ed by this function and given again for the next text; it
// is replaced by a larger block when `*capacity` nodes are too few. The root comes first. On
// failure `*error_offset` is the byte where the text stops making sense. The owner frees `*nodes`.
csimdjson_status csimdjson_parse(
    const uint8_t *_Nullable bytes, size_t length, uint32_t depth_max,
    csimdjson_node *_Nullable *_Nonnull nodes, size_t *capacity, size_t *error_offset);

// A string or number written as a plain decimal, as a whole number of 10^-scale (0 to 18). False
// for anything else, for digits beyond the scale that are not zero, and for what does not fit.
bool csimdjson_scaled(
    const uint8_t *bytes, const csimdjson_node *node, uint32_t scale, int64_t *result);

// The first two elements of every row of an array, or the members of these names when the rows are
// objects (`first_name` not null), scaled; `pairs` has room for two numbers a row. Returns how many
// rows could be read: fewer than the array's count when one could not.
size_t csimdjson_scaled_pairs(
    const uint8_t *bytes, const csimdjson_node *nodes, size_t array,
    const char *_Nullable first_name, const char *_Nullable second_name, uint32_t first_scale,
    uint32_t second_scale, int64_t *pairs);

// The same rows straight from the text at `*at`: `[["61737.63","0.5"],...]`, two strings a row and
// no white space. Returns how many rows there are and moves `*at` behind the array; -1 when the
// text is anything else, -2 when there are more rows than `capacity`.
ptrdiff_t csimdjson_text_pairs(
    const uint8_t *bytes, size_t length, size_t *at, uint32_t first_scale, uint32_t second_scale,
    int64_t *pairs, size_t capacity);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif
