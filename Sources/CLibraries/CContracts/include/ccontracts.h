#pragma once
#include <protobuf-c/protobuf-c.h>

// protoc-c's descriptors of every message and enum of the contracts, by full name.

// NULL when there is none.
const ProtobufCMessageDescriptor *ccontracts_message(const char *full_name);
const ProtobufCEnumDescriptor *ccontracts_enum(const char *full_name);

// Sorted by full name.
extern const ProtobufCMessageDescriptor *const ccontracts_messages[];
extern const unsigned ccontracts_messages_count;
extern const ProtobufCEnumDescriptor *const ccontracts_enums[];
extern const unsigned ccontracts_enums_count;

// Full names of the entry messages of map fields, ended by NULL.
extern const char *const ccontracts_map_entries[];
// Whether a message is the entry of a map field.
int ccontracts_is_map_entry(const ProtobufCMessageDescriptor *message);

// The message at a position below the count; for walks from Swift, which sees no unsized arrays.
const ProtobufCMessageDescriptor *ccontracts_message_at(unsigned position);
const ProtobufCEnumDescriptor *ccontracts_enum_at(unsigned position);
