#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 1
#define TOML_ENABLE_UNRELEASED_FEATURES 0
// toml++ 3.3 asserts what a file can break (`[{a}]`), and with NDEBUG tells the compiler that it
// cannot happen. A broken assertion is a file that does not parse.
#undef NDEBUG
#define TOML_ASSERT(condition) ((condition) ? void() : throw BrokenAssertion())
#include "ctoml.h"

namespace {
struct BrokenAssertion {};
}  // namespace

#include <toml++/toml.h>

#include <algorithm>
#include <new>
#include <sstream>
#include <string>
#include <vector>

namespace {
struct Entry {
  std::string path;
  int kind;
  std::string text;
  uint32_t line;
};
}  // namespace

struct ctoml_document {
  std::vector<Entry> entries;
  std::string error;
  uint32_t error_line = 0;
  bool failed = false;
};

namespace {

template <typename T>
std::string printed(const T &value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

void append(ctoml_document &document, const std::string &path, const toml::node &node) {
  Entry entry{path, CTOML_TABLE, "", node.source().begin.line};
  std::string prefix = path.empty() ? "" : path + ".";
  if (const auto *table = node.as_table()) {
    if (!path.empty()) document.entries.push_back(entry);
    // toml++ keeps keys sorted; people want problems in the order of their file.
    std::vector<std::pair<std::string, const toml::node *>> children;
    for (auto &&[key, child] : *table) children.emplace_back(std::string(key.str()), &child);
    std::stable_sort(children.begin(), children.end(), [](const auto &left, const auto &right) {
      return left.second->source().begin.line < right.second->source().begin.line;
    });
    for (const auto &[key, child] : children) append(document, prefix + key, *child);
    return;
  }
  if (const auto *array = node.as_array()) {
    entry.kind = CTOML_ARRAY;
    document.entries.push_back(entry);
    size_t index = 0;
    for (const auto &child : *array) append(document, prefix + std::to_string(index++), child);
    return;
  }
  if (const auto *value = node.as_string()) {
    entry.kind = CTOML_STRING;
    entry.text = value->get();
  } else if (const auto *value = node.as_integer()) {
    entry.kind = CTOML_INTEGER;
    entry.text = std::to_string(value->get());
  } else if (const auto *value = node.as_floating_point()) {
    entry.kind = CTOML_FLOAT;
    entry.text = printed(*value);
  } else if (const auto *value = node.as_boolean()) {
    entry.kind = CTOML_BOOLEAN;
    entry.text = value->get() ? "true" : "false";
  } else {
    entry.kind = CTOML_MOMENT;
    if (const auto *value = node.as_date()) entry.text = printed(*value);
    if (const auto *value = node.as_time()) entry.text = printed(*value);
    if (const auto *value = node.as_date_time()) entry.text = printed(*value);
  }
  document.entries.push_back(entry);
}

}  // namespace

ctoml_document *ctoml_parse(const char *text, size_t length) {
  auto *document = new (std::nothrow) ctoml_document();
  if (document == nullptr) return nullptr;
  try {
    toml::parse_result result = toml::parse(std::string_view(text, length));
    if (result) {
      append(*document, "", result.table());
      return document;
    }
    document->error = std::string(result.error().description());
    document->error_line = result.error().source().begin.line;
  } catch (const BrokenAssertion &) {
    document->error = "a key, a value or a bracket is not where it may be";
  }
  document->failed = true;
  return document;
}

const char *ctoml_error(const ctoml_document *document) {
  return document->failed ? document->error.c_str() : nullptr;
}

uint32_t ctoml_error_line(const ctoml_document *document) { return document->error_line; }

size_t ctoml_count(const ctoml_document *document) { return document->entries.size(); }

ctoml_entry ctoml_at(const ctoml_document *document, size_t index) {
  const Entry &entry = document->entries[index];
  return {entry.path.c_str(), entry.kind, entry.text.data(), entry.text.size(), entry.line};
}

void ctoml_free(ctoml_document *document) { delete document; }
