"""grpc's interop cases with the stock grpcio client; prints one line per check."""

import os
import sys
import threading
import time

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from schema import MESSAGES, METHODS, SERVICE, fields, flag, make, types, zeros

address, authority = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
GZIP = grpc.Compression.Gzip
SIZES = ((27182, 31415), (8, 9), (1828, 2653), (45904, 58979))
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"


def connect(options=()):
    if authority is None:
        return grpc.insecure_channel(address, options)
    with open(authority, "rb") as file:
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(file.read()), options)


def stub(channel, name, service=SERVICE):
    kind, request, response = METHODS[name]
    return getattr(channel, kind)(
        f"/{service}/{name}", types[request].SerializeToString, types[response].FromString)


channel = connect()
call = {name: stub(channel, name) for name in METHODS}


def check(name, condition, *what):
    print("ok" if condition else "FAILED", name, *(what if not condition else ()))


def error_of(body):
    try:
        body()
    except grpc.RpcError as error:
        return error
    return None


def ends(name, code, body):
    error = error_of(body)
    check(name, error is not None and error.code() == code, error)
    return error


def large(**values):
    return make("SimpleRequest", response_size=314159, payload=zeros(271828), **values)


def is_large(response):
    return response.payload.body == bytes(314159)


def wanting(sizes, payload=None, **values):
    request = make("StreamingOutputCallRequest", **values)
    for size in sizes:
        request.response_parameters.add(size=size)
    if payload is not None:
        request.payload.body = bytes(payload)
    return request


def upload(size, **values):
    return make("StreamingInputCallRequest", payload=zeros(size), **values)


def sizes_of(responses):
    return [len(response.payload.body) for response in responses]


def unary():
    check("empty_unary", call["EmptyCall"](make("Empty"), timeout=9) == make("Empty"))
    question = make("SimpleRequest")
    question.payload.body = str(time.time_ns()).encode()
    answers = [
        call["CacheableUnaryCall"](question, timeout=9, metadata=(("x-user-ip", "1.2.3.4"),))
        for _ in range(2)
    ]
    check("cacheable_unary", answers[0] == answers[1] and answers[0].payload.body)
    check("large_unary", is_large(call["UnaryCall"](large(), timeout=9)))

    ends("client_compressed_unary, probe", grpc.StatusCode.INVALID_ARGUMENT,
         lambda: call["UnaryCall"](large(expect_compressed=flag(True)), timeout=9))
    for packed in (True, False):
        response = call["UnaryCall"](
            large(expect_compressed=flag(packed)), timeout=9, compression=GZIP if packed else None)
        check(f"client_compressed_unary, {packed}", is_large(response))
        response = call["UnaryCall"](large(response_compressed=flag(packed)), timeout=9)
        check(f"server_compressed_unary, {packed}", is_large(response))
    # A client that reads nothing but identity gets nothing else.
    plain = connect((("grpc.compression_enabled_algorithms_bitset", 1),))
    check("gzip is only for those who read it", is_large(
        stub(plain, "UnaryCall")(large(response_compressed=flag(True)), timeout=9)))


def streams():
    requests = [upload(size) for size, _ in SIZES]
    response = call["StreamingInputCall"](iter(requests), timeout=9)
    check("client_streaming", response.aggregated_payload_size == 74922, response)

    packed = upload(27182, expect_compressed=flag(True))
    ends("client_compressed_streaming, probe", grpc.StatusCode.INVALID_ARGUMENT,
         lambda: call["StreamingInputCall"](iter([packed]), timeout=9))
    response = call["StreamingInputCall"](iter([packed, packed]), timeout=9, compression=GZIP)
    check("client_compressed_streaming", response.aggregated_payload_size == 54364, response)

    wanted = [size for _, size in SIZES]
    check("server_streaming",
          sizes_of(call["StreamingOutputCall"](wanting(wanted), timeout=9)) == wanted)
    request = wanting([31415, 92653])
    for parameters, value in zip(request.response_parameters, (True, False)):
        parameters.compressed.value = value
    check("server_compressed_streaming",
          sizes_of(call["StreamingOutputCall"](request, timeout=9)) == [31415, 92653])

    turn = threading.Semaphore(1)

    def pings():
        for up, down in SIZES:
            turn.acquire()
            yield wanting([down], up)

    received = []
    for response in call["FullDuplexCall"](pings(), timeout=9):
        received.append(len(response.payload.body))
        turn.release()
    check("ping_pong", received == wanted, received)
    requests = [wanting([size]) for size in wanted]
    check("half_duplex", sizes_of(call["HalfDuplexCall"](iter(requests), timeout=9)) == wanted)
    check("empty_stream", list(call["FullDuplexCall"](iter(()), timeout=9)) == [])

    slow = []
    for response in call["StreamingOutputCall"](wanting([1030] * 2000), timeout=30):
        slow.append(len(response.payload.body))
        if len(slow) % 100 == 0:
            time.sleep(0.01)
    check("slow_consumer", slow == [1030] * 2000)


def statuses():
    metadata = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))
    for name, made in (
        ("UnaryCall", lambda: call["UnaryCall"].with_call(large(), timeout=9, metadata=metadata)[1]),
        ("FullDuplexCall", lambda: call["FullDuplexCall"](
            iter([wanting([314159], 271828)]), timeout=9, metadata=metadata)),
    ):
        done = made()
        if name == "FullDuplexCall":
            check("custom_metadata, responses", sizes_of(done) == [314159])
        initial, trailing = dict(done.initial_metadata()), dict(done.trailing_metadata())
        check(f"custom_metadata, {name}", initial.get(INITIAL) == metadata[0][1]
              and trailing.get(TRAILING) == metadata[1][1], initial, trailing)
    # grpcio alone reads no more than 8 KB.
    wide = connect((("grpc.max_metadata_size", 1 << 15), ("grpc.absolute_max_metadata_size", 1 << 16)))
    long = "v" * (1 << 14)
    done = stub(wide, "UnaryCall").with_call(
        make("SimpleRequest"), timeout=9, metadata=((INITIAL, long),))
    check("16 KB of metadata", dict(done[1].initial_metadata()).get(INITIAL) == long)

    for name, message in (
        ("status_code_and_message", "test status message"),
        ("special_status_message",
         "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"),
    ):
        status = make("EchoStatus", code=2, message=message)
        request = make("SimpleRequest", response_status=status)
        error = ends(name, grpc.StatusCode.UNKNOWN, lambda: call["UnaryCall"](request, timeout=9))
        check(f"{name}, message", error.details() == message, repr(error.details()))
        requests = iter([wanting([], response_status=status)])
        error = ends(f"{name}, stream", grpc.StatusCode.UNKNOWN,
                     lambda: list(call["FullDuplexCall"](requests, timeout=9)))
        check(f"{name}, message of the stream", error.details() == message, repr(error.details()))

    unimplemented = grpc.StatusCode.UNIMPLEMENTED
    ends("unimplemented_method", unimplemented,
         lambda: call["UnimplementedCall"](make("Empty"), timeout=9))
    ends("unimplemented_service", unimplemented, lambda: stub(
        channel, "UnimplementedCall", "grpc.testing.UnimplementedService")(
            make("Empty"), timeout=9))


def early_ends():
    gate = threading.Event()

    def never():
        gate.wait(9)
        yield from ()

    begun = call["StreamingInputCall"].future(never(), timeout=9)
    begun.cancel()
    check("cancel_after_begin", begun.cancelled() and begun.code() == grpc.StatusCode.CANCELLED)

    def one():
        yield wanting([31415], 27182)
        gate.wait(9)

    stream = call["FullDuplexCall"](one(), timeout=9)
    check("cancel_after_first_response, response", len(next(stream).payload.body) == 31415)
    stream.cancel()
    ends("cancel_after_first_response", grpc.StatusCode.CANCELLED, lambda: list(stream))

    def silent():
        yield wanting([], 27182)
        gate.wait(9)

    ends("timeout_on_sleeping_server", grpc.StatusCode.DEADLINE_EXCEEDED,
         lambda: list(call["FullDuplexCall"](silent(), timeout=0.001)))
    asleep = wanting([1])
    asleep.response_parameters[0].interval_us = 9_000_000
    ends("deadline of a sleeping method", grpc.StatusCode.DEADLINE_EXCEEDED,
         lambda: list(call["StreamingOutputCall"](asleep, timeout=0.05)))
    gate.set()


def soaks():
    check("rpc_soak", all(is_large(call["UnaryCall"](large(), timeout=9)) for _ in range(10)))
    ok = True
    for _ in range(5):
        with connect() as other:
            ok = ok and is_large(stub(other, "UnaryCall")(large(), timeout=9))
    check("channel_soak", ok)


def surroundings():
    status = health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=SERVICE), timeout=9).status
    check("health", status == health_pb2.HealthCheckResponse.SERVING, status)
    database = ProtoReflectionDescriptorDatabase(channel)
    check("reflection lists the service", SERVICE in database.get_services())
    pool = descriptor_pool.DescriptorPool(database)
    methods = pool.FindServiceByName(SERVICE).methods_by_name
    check("reflection knows the methods", set(METHODS) == set(methods), list(methods))
    for name in MESSAGES:
        found = pool.FindMessageTypeByName(f"grpc.testing.{name}").fields
        check(f"reflection of {name}", [(field.name, field.number) for field in found]
              == [(field, number) for field, number, _, _ in fields(name)])


for part in (unary, streams, statuses, early_ends, soaks, surroundings):
    part()
print("done", flush=True)
# The channels need no orderly end, and grpcio sometimes waits for one for ever.
os._exit(0)
