"""grpc.testing.TestService on the stock grpcio server; prints its port, and ends with its input.

It cannot see whether a request came compressed, so it takes every `expect_compressed` for granted.
"""

import sys
import time
from concurrent import futures

import grpc

from schema import METHODS, SERVICE, make, types, zeros

CODES = {code.value[0]: code for code in grpc.StatusCode}
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
answers = {}


def echo(context):
    metadata = dict(context.invocation_metadata())
    if INITIAL in metadata:
        context.send_initial_metadata(((INITIAL, metadata[INITIAL]),))
    if TRAILING in metadata:
        context.set_trailing_metadata(((TRAILING, metadata[TRAILING]),))


def end(status, context):
    if status.code != 0:
        context.abort(CODES[status.code], status.message)


def empty(request, context):
    echo(context)
    return request


def unary(request, context):
    if request.response_compressed.value:
        context.set_compression(grpc.Compression.Gzip)
    echo(context)
    end(request.response_status, context)
    return make("SimpleResponse", payload=zeros(request.response_size))


def cacheable(request, context):
    body = answers.setdefault(request.payload.body, str(time.time_ns()).encode())
    return make("SimpleResponse", payload=make("Payload", body=body))


def responses(request, context):
    end(request.response_status, context)
    for parameters in request.response_parameters:
        time.sleep(parameters.interval_us / 1e6)
        if not parameters.compressed.value:
            context.disable_next_message_compression()
        yield make("StreamingOutputCallResponse", payload=zeros(parameters.size))


def output(request, context):
    context.set_compression(grpc.Compression.Gzip)
    echo(context)
    yield from responses(request, context)


def upload(requests, context):
    echo(context)
    total = sum(len(request.payload.body) for request in requests)
    return make("StreamingInputCallResponse", aggregated_payload_size=total)


def full_duplex(requests, context):
    context.set_compression(grpc.Compression.Gzip)
    echo(context)
    for request in requests:
        yield from responses(request, context)


def half_duplex(requests, context):
    context.set_compression(grpc.Compression.Gzip)
    echo(context)
    for request in list(requests):
        yield from responses(request, context)


behaviours = {
    "EmptyCall": empty, "UnaryCall": unary, "CacheableUnaryCall": cacheable,
    "StreamingOutputCall": output, "StreamingInputCall": upload, "FullDuplexCall": full_duplex,
    "HalfDuplexCall": half_duplex,
}
handlers = {}
for name, behaviour in behaviours.items():
    kind, request, response = METHODS[name]
    handlers[name] = getattr(grpc, f"{kind}_rpc_method_handler")(
        behaviour, types[request].FromString, types[response].SerializeToString)
server = grpc.server(futures.ThreadPoolExecutor(16))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
if len(sys.argv) > 2:
    with open(sys.argv[1], "rb") as certificate, open(sys.argv[2], "rb") as key:
        credentials = grpc.ssl_server_credentials([(key.read(), certificate.read())])
    port = server.add_secure_port("127.0.0.1:0", credentials)
else:
    port = server.add_insecure_port("127.0.0.1:0")
print(port, flush=True)
server.start()
sys.stdin.read()
server.stop(0)
