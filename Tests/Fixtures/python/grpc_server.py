"""A stock grpcio server for the client under test; prints its port, and ends with its input."""

import sys
import threading
import time
from concurrent import futures

import grpc

same = lambda data: data


def unary(request, context):
    metadata = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-text", metadata.get("x-text", "")),
                                   ("x-bin", metadata.get("x-bin", b""))))
    context.set_trailing_metadata((("x-trailer", "t"),))
    return request


def fail(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "nö: 100%\n")


def slow(request, context):
    done = threading.Event()
    context.add_callback(done.set)
    done.wait(10)
    return b""


def repeat(request, context):
    for _ in range(int(request)):
        yield bytes(100)


def join(requests, context):
    return b"".join(requests)


def chat(requests, context):
    for request in requests:
        yield request


handlers = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary, same, same),
    "Fail": grpc.unary_unary_rpc_method_handler(fail, same, same),
    "Slow": grpc.unary_unary_rpc_method_handler(slow, same, same),
    "Repeat": grpc.unary_stream_rpc_method_handler(repeat, same, same),
    "Join": grpc.stream_unary_rpc_method_handler(join, same, same),
    "Chat": grpc.stream_stream_rpc_method_handler(chat, same, same),
}
server = grpc.server(futures.ThreadPoolExecutor(16), compression=grpc.Compression.Gzip)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
server.stop(0)
