#include "csimdjson.h"

#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace {

using simdjson::internal::dom_parser_implementation;

// The indexer's buffer is 4 bytes per byte of text: kept per thread, but not after a giant.
constexpr size_t kept_capacity_max = 1u << 20;

struct Indexer {
  std::unique_ptr<dom_parser_implementation> parser;
  size_t capacity = 0;

  bool reserve(size_t length) {
    if (parser && capacity >= length) return true;
    size_t wanted = length < 4096 ? 4096 : length + length / 2;
    parser.reset();
    capacity = 0;
    // create_dom_parser_implementation's depth is for its own stage 2, which is not used here.
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(wanted, 1, parser)) {
      parser.reset();
      return false;
    }
    capacity = wanted;
    return true;
  }

  void trim() {
    if (capacity > kept_capacity_max) {
      parser.reset();
      capacity = 0;
    }
  }
};

thread_local Indexer indexer;

struct Walk {
  const uint8_t *bytes;
  size_t length;
  const uint32_t *structurals;
  uint32_t structural_count;
  uint32_t depth_max;
  csimdjson_node *nodes;
  bool has_escapes;  // there is a backslash somewhere
  uint32_t node_count = 0;
  uint32_t at = 0;  // index into structurals
  size_t error_offset = 0;

  csimdjson_status fail(csimdjson_status status, size_t offset) {
    error_offset = offset;
    return status;
  }

  size_t offset() const { return at < structural_count ? structurals[at] : length; }

  // The end of the token that begins at structural `at`: up to the next one, without white space.
  size_t token_end() const {
    size_t end = at + 1 < structural_count ? structurals[at + 1] : length;
    while (end > structurals[at] && (bytes[end - 1] == ' ' || bytes[end - 1] == '\n' ||
                                     bytes[end - 1] == '\r' || bytes[end - 1] == '\t'))
      end--;
    return end;
  }

  csimdjson_node &push(uint8_t kind, size_t start, size_t end) {
    csimdjson_node &node = nodes[node_count++];
    node.start = static_cast<uint32_t>(start);
    node.end = static_cast<uint32_t>(end);
    node.next = node_count;
    node.count = 0;
    node.kind = kind;
    return node;
  }

  csimdjson_status walk();
  csimdjson_status scalar();
  csimdjson_status string();
  csimdjson_status number(size_t end);
  csimdjson_status literal(size_t end, const char *text, uint8_t kind);
};

bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

bool is_hexadecimal(uint8_t byte) {
  return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

uint32_t code_unit(const uint8_t *digits) {
  uint32_t unit = 0;
  for (int index = 0; index < 4; index++) {
    uint8_t byte = digits[index];
    unit = unit << 4 | (is_digit(byte) ? byte - '0' : (byte | 0x20) - 'a' + 10);
  }
  return unit;
}

// Length of the escape at `text` (a backslash), 0 when it is none. Surrogates must come in pairs.
size_t escape_length(const uint8_t *text, size_t left) {
  auto unicode = [&](size_t from) {
    if (left < from + 6 || text[from] != '\\' || text[from + 1] != 'u') return false;
    for (size_t index = 2; index < 6; index++)
      if (!is_hexadecimal(text[from + index])) return false;
    return true;
  };
  if (left < 2) return 0;
  if (text[1] != 'u') return std::memchr("\"\\/bfnrt", text[1], 8) ? 2 : 0;
  if (!unicode(0)) return 0;
  uint32_t first = code_unit(text + 2);
  if (first < 0xd800 || first > 0xdfff) return 6;
  if (first > 0xdbff || !unicode(6)) return 0;
  uint32_t second = code_unit(text + 8);
  return second >= 0xdc00 && second <= 0xdfff ? 12 : 0;
}

csimdjson_status Walk::string() {
  size_t start = structurals[at] + 1;
  // The index guarantees that nothing but white space lies between a closing quote and the next
  // structural, so the token's last byte is the closing quote.
  size_t end = token_end() - 1;
  if (end < start || bytes[end] != '"') return fail(CSIMDJSON_UNCLOSED_STRING, start - 1);
  csimdjson_node &node = push(CSIMDJSON_STRING, start, end);
  const uint8_t *from = bytes + start;
  const uint8_t *stop = bytes + end;
  while (has_escapes && from < stop) {
    from = static_cast<const uint8_t *>(std::memchr(from, '\\', static_cast<size_t>(stop - from)));
    if (!from) break;
    size_t skip = escape_length(from, static_cast<size_t>(stop - from));
    if (skip == 0) return fail(CSIMDJSON_BAD_ESCAPE, static_cast<size_t>(from - bytes));
    node.count = 1;
    from += skip;
  }
  at++;
  return CSIMDJSON_OK;
}

csimdjson_status Walk::number(size_t end) {
  size_t start = structurals[at];
  size_t i = start;
  auto digits = [&] {
    size_t first = i;
    while (i < end && is_digit(bytes[i])) i++;
    return i > first;
  };
  if (bytes[i] == '-') i++;
  if (i < end && bytes[i] == '0') {
    i++;
  } else if (!digits()) {
    return fail(CSIMDJSON_BAD_NUMBER, i);
  }
  if (i < end && bytes[i] == '.') {
    i++;
    if (!digits()) return fail(CSIMDJSON_BAD_NUMBER, i);
  }
  if (i < end && (bytes[i] == 'e' || bytes[i] == 'E')) {
    i++;
    if (i < end && (bytes[i] == '+' || bytes[i] == '-')) i++;
    if (!digits()) return fail(CSIMDJSON_BAD_NUMBER, i);
  }
  if (i != end) return fail(CSIMDJSON_BAD_NUMBER, i);
  push(CSIMDJSON_NUMBER, start, end);
  at++;
  return CSIMDJSON_OK;
}

csimdjson_status Walk::literal(size_t end, const char *text, uint8_t kind) {
  size_t start = structurals[at];
  size_t wanted = std::strlen(text);
  if (end - start != wanted || std::memcmp(bytes + start, text, wanted) != 0)
    return fail(CSIMDJSON_BAD_LITERAL, start);
  push(kind, start, end);
  at++;
  return CSIMDJSON_OK;
}

csimdjson_status Walk::scalar() {
  uint8_t first = bytes[structurals[at]];
  if (first == '"') return string();
  size_t end = token_end();
  if (first == '-' || is_digit(first)) return number(end);
  switch (first) {
    case 't': return literal(end, "true", CSIMDJSON_TRUE);
    case 'f': return literal(end, "false", CSIMDJSON_FALSE);
    case 'n': return literal(end, "null", CSIMDJSON_NULL);
    default: return fail(CSIMDJSON_EXPECTED_VALUE, structurals[at]);
  }
}

csimdjson_status Walk::walk() {
  uint32_t open[CSIMDJSON_DEPTH_MAX];  // the containers around the current place
  uint32_t depth = 0;
  bool after_value = false;    // a value of the innermost container was just completed
  do {
    if (at >= structural_count) return fail(CSIMDJSON_UNFINISHED, length);
    uint8_t byte = bytes[structurals[at]];
    csimdjson_node *container = depth == 0 ? nullptr : &nodes[open[depth - 1]];
    if (container) {
      bool is_object = container->kind == CSIMDJSON_OBJECT;
      if (byte == (is_object ? '}' : ']') && (after_value || container->count == 0)) {
        container->end = structurals[at] + 1;
        container->next = node_count;
        at++;
        depth--;
        after_value = true;
        continue;
      }
      if (after_value) {
        if (byte != ',') return fail(CSIMDJSON_EXPECTED_COMMA, offset());
        at++;
        if (at >= structural_count) return fail(CSIMDJSON_UNFINISHED, length);
        byte = bytes[structurals[at]];
      }
      if (is_object) {
        if (byte != '"') return fail(CSIMDJSON_EXPECTED_KEY, offset());
        if (csimdjson_status status = string()) return status;
        if (at >= structural_count) return fail(CSIMDJSON_UNFINISHED, length);
        if (bytes[structurals[at]] != ':') return fail(CSIMDJSON_EXPECTED_COLON, offset());
        at++;
        if (at >= structural_count) return fail(CSIMDJSON_UNFINISHED, length);
        byte = bytes[structurals[at]];
      }
      container->count++;
    }
    if (byte == '{' || byte == '[') {
      if (depth >= depth_max) return fail(CSIMDJSON_TOO_DEEP, offset());
      open[depth++] = node_count;
      push(byte == '{' ? CSIMDJSON_OBJECT : CSIMDJSON_ARRAY, offset(), offset());
      at++;
      after_value = false;
    } else {
      if (csimdjson_status status = scalar()) return status;
      after_value = true;
    }
  } while (depth > 0);
  if (at != structural_count) return fail(CSIMDJSON_TRAILING, offset());
  return CSIMDJSON_OK;
}

// Where validation fails; only for the error's text, so a plain scan is fine.
size_t bad_utf8_offset(const uint8_t *bytes, size_t length) {
  size_t low = 0;
  size_t high = length;
  // A prefix is invalid from the bad byte on; one cut inside a character is invalid too, which
  // moves the answer to that character's first byte at most.
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    size_t cut = middle + 1;
    while (cut < length && cut < middle + 4 && (bytes[cut] & 0xc0) == 0x80) cut++;
    if (simdjson::validate_utf8(reinterpret_cast<const char *>(bytes), cut)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

size_t bad_string_offset(const uint8_t *bytes, size_t length, csimdjson_status status) {
  size_t opened = 0;
  bool inside = false;
  for (size_t index = 0; index < length; index++) {
    if (!inside) {
      if (bytes[index] == '"') {
        inside = true;
        opened = index;
      }
    } else if (bytes[index] < 0x20 && status == CSIMDJSON_CONTROL_IN_STRING) {
      return index;
    } else if (bytes[index] == '\\') {
      index++;
    } else if (bytes[index] == '"') {
      inside = false;
    }
  }
  return opened;
}

csimdjson_status index_failure(
    simdjson::error_code code, const uint8_t *bytes, size_t length, size_t *offset) {
  csimdjson_status status = CSIMDJSON_EXPECTED_VALUE;
  switch (code) {
    case simdjson::EMPTY: status = CSIMDJSON_EMPTY; break;
    case simdjson::UTF8_ERROR: status = CSIMDJSON_BAD_UTF8; break;
    case simdjson::UNCLOSED_STRING: status = CSIMDJSON_UNCLOSED_STRING; break;
    case simdjson::UNESCAPED_CHARS: status = CSIMDJSON_CONTROL_IN_STRING; break;
    case simdjson::CAPACITY: status = CSIMDJSON_TOO_LONG; break;
    case simdjson::MEMALLOC: status = CSIMDJSON_NO_MEMORY; break;
    default: break;
  }
  if (status == CSIMDJSON_BAD_UTF8) *offset = bad_utf8_offset(bytes, length);
  if (status == CSIMDJSON_UNCLOSED_STRING || status == CSIMDJSON_CONTROL_IN_STRING)
    *offset = bad_string_offset(bytes, length, status);
  return status;
}

}  // namespace

csimdjson_status csimdjson_parse(
    const uint8_t *bytes, size_t length, uint32_t depth_max, csimdjson_node **nodes,
    size_t *capacity, size_t *error_offset) {
  *error_offset = 0;
  if (length == 0) return CSIMDJSON_EMPTY;
  if (length >= UINT32_MAX / 2) return CSIMDJSON_TOO_LONG;
  if (!indexer.reserve(length)) return CSIMDJSON_NO_MEMORY;
  auto &parser = *indexer.parser;
  if (auto code = parser.stage1(bytes, length, simdjson::stage1_mode::regular)) {
    csimdjson_status status = index_failure(code, bytes, length, error_offset);
    indexer.trim();
    return status;
  }
  size_t count = parser.n_structural_indexes;
  if (*capacity < count + 1) {
    std::free(*nodes);
    *capacity = 0;
    *nodes = static_cast<csimdjson_node *>(std::malloc(sizeof(csimdjson_node) * (count + 1)));
    if (!*nodes) return CSIMDJSON_NO_MEMORY;
    *capacity = count + 1;
  }
  if (depth_max > CSIMDJSON_DEPTH_MAX) depth_max = CSIMDJSON_DEPTH_MAX;
  Walk walk{bytes, length, parser.structural_indexes.get(), static_cast<uint32_t>(count), depth_max,
            *nodes, std::memchr(bytes, '\\', length) != nullptr};
  csimdjson_status status = walk.walk();
  indexer.trim();
  *error_offset = walk.error_offset;
  return status;
}

namespace {

// 10^0 to 10^18.
constexpr int64_t powers[] = {1,
                              10,
                              100,
                              1000,
                              10000,
                              100000,
                              1000000,
                              10000000,
                              100000000,
                              1000000000,
                              10000000000,
                              100000000000,
                              1000000000000,
                              10000000000000,
                              100000000000000,
                              1000000000000000,
                              10000000000000000,
                              100000000000000000,
                              1000000000000000000};

// The digits of `text` as one number, whole and fraction, and how many of them are decimals.
inline bool scaled(const uint8_t *text, const uint8_t *end, uint32_t scale, int64_t *result) {
  // Nothing longer than this can be exact in 64 bits without leading zeros, which no venue sends.
  if (text == end || end - text > 40 || scale > 18) return false;
  bool is_negative = *text == '-';
  if (is_negative && ++text == end) return false;
  uint64_t value = 0;
  const uint8_t *at = text;
  while (at < end && is_digit(*at)) {
    if (value > UINT64_MAX / 10 - 1) return false;
    value = value * 10 + (*at++ - '0');
  }
  if (at == text) return false;
  uint32_t decimals = 0;
  if (at < end) {
    if (*at++ != '.' || at == end) return false;
    while (at < end && decimals < scale && is_digit(*at)) {
      if (value > UINT64_MAX / 10 - 1) return false;
      value = value * 10 + (*at++ - '0');
      decimals++;
    }
    // Digits beyond the scale must say nothing.
    while (at < end && *at == '0') at++;
    if (at != end) return false;
  }
  __int128 whole = static_cast<__int128>(value) * powers[scale - decimals];
  if (whole > INT64_MAX) return false;
  *result = is_negative ? -static_cast<int64_t>(whole) : static_cast<int64_t>(whole);
  return true;
}

inline bool scaled(const uint8_t *bytes, const csimdjson_node &node, uint32_t scale, int64_t *to) {
  if (node.kind != CSIMDJSON_STRING && node.kind != CSIMDJSON_NUMBER) return false;
  return scaled(bytes + node.start, bytes + node.end, scale, to);
}

}  // namespace

bool csimdjson_scaled(
    const uint8_t *bytes, const csimdjson_node *node, uint32_t scale, int64_t *result) {
  return scaled(bytes, *node, scale, result);
}

size_t csimdjson_scaled_pairs(
    const uint8_t *bytes, const csimdjson_node *nodes, size_t array, const char *first_name,
    const char *second_name, uint32_t first_scale, uint32_t second_scale, int64_t *pairs) {
  size_t count = 0;
  size_t first_length = first_name ? std::strlen(first_name) : 0;
  size_t second_length = second_name ? std::strlen(second_name) : 0;
  auto is_named = [&](const csimdjson_node &key, const char *name, size_t length) {
    return key.end - key.start == length && std::memcmp(bytes + key.start, name, length) == 0;
  };
  for (size_t at = array + 1; at < nodes[array].next; at = nodes[at].next, count++) {
    const csimdjson_node &row = nodes[at];
    const csimdjson_node *first = nullptr;
    const csimdjson_node *second = nullptr;
    if (first_name) {
      if (row.kind != CSIMDJSON_OBJECT) return count;
      for (size_t key = at + 1; key < row.next; key = nodes[key + 1].next) {
        if (!first && is_named(nodes[key], first_name, first_length)) first = &nodes[key + 1];
        if (!second && is_named(nodes[key], second_name, second_length)) second = &nodes[key + 1];
      }
      if (!first || !second) return count;
    } else {
      if (row.kind != CSIMDJSON_ARRAY || row.count < 2) return count;
      first = &nodes[at + 1];
      second = &nodes[first->next];
    }
    if (!scaled(bytes, *first, first_scale, &pairs[2 * count]) ||
        !scaled(bytes, *second, second_scale, &pairs[2 * count + 1]))
      return count;
  }
  return count;
}

namespace {

constexpr uint64_t zeros = 0x3030303030303030;

inline uint64_t load(const uint8_t *text) {
  uint64_t word;
  std::memcpy(&word, text, sizeof word);
  return word;
}

// How many of eight bytes are digits before the first that is none. The bytes are XORed with '0',
// so digits are 0 to 9; bit 7 of a byte is set when it is more.
inline uint32_t digit_count(uint64_t word) {
  uint64_t values = word ^ zeros;
  uint64_t others = (((values & 0x7f7f7f7f7f7f7f7f) + 0x7676767676767676) | values) &
                    0x8080808080808080;
  return others == 0 ? 8 : static_cast<uint32_t>(__builtin_ctzll(others)) / 8;
}

// The first `count` digits of a little-endian word, 1 to 8: zeros are put before them, and eight
// digits are summed up in three multiplications by pairs (D. Lemire, "Quickly parsing eight
// digits").
inline uint64_t digits(uint64_t word, uint32_t count) {
  if (count < 8) word = word << (8 * (8 - count)) | zeros >> (8 * count);
  word -= zeros;
  word = word * 10 + (word >> 8);
  return (((word & 0x000000ff000000ff) * 0x000f424000000064) +
          (((word >> 16) & 0x000000ff000000ff) * 0x0000271000000001)) >>
         32;
}

// What a column's last number looked like. Where the next one ends is guessed from it: a guess that
// holds costs a branch that the processor foresees, while counting digits would hold up every load
// behind it.
struct Shape {
  uint32_t whole = 1;
  uint32_t places = 8;
};

// `counted`, by a branch on `guess` that the compiler cannot see through.
inline uint32_t guessed(uint32_t counted, uint32_t &guess) {
  if (__builtin_expect(counted == guess, 1)) {
    uint32_t hidden = guess;
    __asm__("" : "+r"(hidden));
    return hidden;
  }
  guess = counted;
  return counted;
}

// A decimal of at most seven digits, and eight after the point, at a scale of at most eight; moves
// behind the quote that ends it. False when it is any other: that says nothing of it.
__attribute__((always_inline)) inline bool short_decimal(
    const uint8_t *&text, const uint8_t *end, uint32_t scale, Shape &shape, int64_t *result) {
  if (end - text < 18) return false;
  uint64_t word = load(text);
  uint32_t whole = guessed(digit_count(word), shape.whole);
  if (whole == 0 || whole == 8) return false;
  int64_t value = static_cast<int64_t>(digits(word, whole)) * powers[scale];
  const uint8_t *at = text + whole;
  if (*at == '.') {
    word = load(++at);
    uint32_t places = guessed(digit_count(word), shape.places);
    if (places == 0) return false;
    uint32_t used = places < scale ? places : scale;
    // Digits beyond the scale must say nothing.
    if (places > scale) {
      uint64_t rest = (word ^ zeros) >> (8 * scale);
      if ((rest << (8 * (8 - (places - scale)))) != 0) return false;
    }
    if (used > 0) value += static_cast<int64_t>(digits(word, used)) * powers[scale - used];
    at += places;
  }
  if (*at != '"') return false;
  text = at + 1;
  *result = value;
  return true;
}

__attribute__((always_inline)) inline bool decimal(
    const uint8_t *&text, const uint8_t *end, uint32_t scale, Shape &shape, int64_t *result) {
  if (text == end || *text != '"') return false;
  text++;
  if (scale <= 8 && short_decimal(text, end, scale, shape, result)) return true;
  auto quote = static_cast<const uint8_t *>(
      std::memchr(text, '"', static_cast<size_t>(end - text)));
  if (!quote || !scaled(text, quote, scale, result)) return false;
  text = quote + 1;
  return true;
}

}  // namespace

ptrdiff_t csimdjson_text_pairs(
    const uint8_t *bytes, size_t length, size_t *at, uint32_t first_scale, uint32_t second_scale,
    int64_t *pairs, size_t capacity) {
  const uint8_t *text = bytes + *at;
  const uint8_t *end = bytes + length;
  auto take = [&](uint8_t byte) {
    bool is_there = text < end && *text == byte;
    text += is_there;
    return is_there;
  };
  if (!take('[')) return -1;
  Shape first, second;
  size_t count = 0;
  if (!take(']')) {
    do {
      if (count == capacity) return -2;
      if (!take('[') || !decimal(text, end, first_scale, first, &pairs[2 * count]) || !take(',') ||
          !decimal(text, end, second_scale, second, &pairs[2 * count + 1]) || !take(']'))
        return -1;
      count++;
    } while (take(','));
    if (!take(']')) return -1;
  }
  *at = static_cast<size_t>(text - bytes);
  return static_cast<ptrdiff_t>(count);
}
