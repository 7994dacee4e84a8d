"""grpc.testing's messages, built at run time, so that no code has to be generated."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "grpc.testing"
SERVICE = f"{PACKAGE}.TestService"

# Name, number, type; `*` is repeated. What is no scalar is a message or an enum of this package.
MESSAGES = {
    "Empty": "",
    "BoolValue": "value 1 bool",
    "Payload": "type 1 PayloadType, body 2 bytes",
    "EchoStatus": "code 1 int32, message 2 string",
    "SimpleRequest": "response_type 1 PayloadType, response_size 2 int32, payload 3 Payload, "
    "fill_username 4 bool, fill_oauth_scope 5 bool, response_compressed 6 BoolValue, "
    "response_status 7 EchoStatus, expect_compressed 8 BoolValue, fill_server_id 9 bool, "
    "fill_grpclb_route_type 10 bool",
    "SimpleResponse": "payload 1 Payload, username 2 string, oauth_scope 3 string, "
    "server_id 4 string, grpclb_route_type 5 GrpclbRouteType, hostname 6 string",
    "StreamingInputCallRequest": "payload 1 Payload, expect_compressed 2 BoolValue",
    "StreamingInputCallResponse": "aggregated_payload_size 1 int32",
    "ResponseParameters": "size 1 int32, interval_us 2 int32, compressed 3 BoolValue",
    "StreamingOutputCallRequest": "response_type 1 PayloadType, "
    "response_parameters 2 ResponseParameters*, payload 3 Payload, response_status 7 EchoStatus",
    "StreamingOutputCallResponse": "payload 1 Payload",
}
ENUMS = {
    "PayloadType": ["COMPRESSABLE"],
    "GrpclbRouteType": [
        "GRPCLB_ROUTE_TYPE_UNKNOWN", "GRPCLB_ROUTE_TYPE_FALLBACK", "GRPCLB_ROUTE_TYPE_BACKEND",
    ],
}
# Kind of call, request, response.
METHODS = {
    "EmptyCall": ("unary_unary", "Empty", "Empty"),
    "UnaryCall": ("unary_unary", "SimpleRequest", "SimpleResponse"),
    "CacheableUnaryCall": ("unary_unary", "SimpleRequest", "SimpleResponse"),
    "StreamingOutputCall": (
        "unary_stream", "StreamingOutputCallRequest", "StreamingOutputCallResponse"),
    "StreamingInputCall": (
        "stream_unary", "StreamingInputCallRequest", "StreamingInputCallResponse"),
    "FullDuplexCall": (
        "stream_stream", "StreamingOutputCallRequest", "StreamingOutputCallResponse"),
    "HalfDuplexCall": (
        "stream_stream", "StreamingOutputCallRequest", "StreamingOutputCallResponse"),
    "UnimplementedCall": ("unary_unary", "Empty", "Empty"),
}


def fields(name):
    """Name, number, type and whether it repeats, of each field of a message."""
    for text in filter(None, MESSAGES[name].split(", ")):
        field, number, kind = text.split()
        yield field, int(number), kind.rstrip("*"), kind.endswith("*")


def _file():
    file = descriptor_pb2.FileDescriptorProto(
        name="interop.proto", package=PACKAGE, syntax="proto3")
    for name, values in ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    kinds = descriptor_pb2.FieldDescriptorProto
    for name in MESSAGES:
        message = file.message_type.add(name=name)
        for field, number, kind, repeats in fields(name):
            label = kinds.LABEL_REPEATED if repeats else kinds.LABEL_OPTIONAL
            made = message.field.add(name=field, number=number, label=label)
            if kind in MESSAGES or kind in ENUMS:
                made.type = kinds.TYPE_MESSAGE if kind in MESSAGES else kinds.TYPE_ENUM
                made.type_name = f".{PACKAGE}.{kind}"
            else:
                made.type = getattr(kinds, f"TYPE_{kind.upper()}")
    return file


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())
types = {
    name: message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
    for name in MESSAGES
}


def make(name, **values):
    return types[name](**values)


def zeros(count):
    return make("Payload", body=bytes(count))


def flag(value):
    return make("BoolValue", value=value)
