#include "ccontracts.h"

#include <stdlib.h>
#include <string.h>

static int compare_message(const void *name, const void *entry) {
  return strcmp(name, (*(const ProtobufCMessageDescriptor *const *)entry)->name);
}

static int compare_enum(const void *name, const void *entry) {
  return strcmp(name, (*(const ProtobufCEnumDescriptor *const *)entry)->name);
}

const ProtobufCMessageDescriptor *ccontracts_message(const char *full_name) {
  const ProtobufCMessageDescriptor *const *found =
      bsearch(full_name, ccontracts_messages, ccontracts_messages_count,
              sizeof(ccontracts_messages[0]), compare_message);
  return found ? *found : NULL;
}

const ProtobufCEnumDescriptor *ccontracts_enum(const char *full_name) {
  const ProtobufCEnumDescriptor *const *found =
      bsearch(full_name, ccontracts_enums, ccontracts_enums_count, sizeof(ccontracts_enums[0]),
              compare_enum);
  return found ? *found : NULL;
}

const ProtobufCMessageDescriptor *ccontracts_message_at(unsigned position) {
  return ccontracts_messages[position];
}

const ProtobufCEnumDescriptor *ccontracts_enum_at(unsigned position) {
  return ccontracts_enums[position];
}

int ccontracts_is_map_entry(const ProtobufCMessageDescriptor *message) {
  for (const char *const *name = ccontracts_map_entries; *name; name++)
    if (strcmp(*name, message->name) == 0) return 1;
  return 0;
}
