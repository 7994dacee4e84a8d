"""What a stranger without a certificate gets from one port: health, and nothing else.

plaintext.py ADDRESS SERVICE METHOD CODES
"""

import os
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

address, service, method, codes = sys.argv[1:5]


def check(name, condition, *what):
    print("ok" if condition else "FAILED", name, *(what if not condition else ()))


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


channel = grpc.insecure_channel(address)
health = health_pb2_grpc.HealthStub(channel)
for name in ("", service):
    answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
    check(f"Check {name!r}", answer.status == health_pb2.HealthCheckResponse.SERVING, answer)
watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=10)
check("Watch", next(watch).status == health_pb2.HealthCheckResponse.SERVING)
watch.cancel()
missing = code_of(lambda: health.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=10))
check("Check of a stranger", missing == "NOT_FOUND", missing)

same = lambda data: data
refused = code_of(lambda: channel.unary_unary(method, same, same)(b"", timeout=10))
check(f"{method} in plaintext", refused in codes.split(","), refused)
info = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
listing = reflection_pb2.ServerReflectionRequest(list_services="*")
refused = code_of(lambda: list(info(iter([listing]), timeout=10)))
check("reflection in plaintext", refused in codes.split(",") + ["OK"] * ("OK" in codes), refused)
print("done", flush=True)
# grpcio's own threads sometimes never let the interpreter end.
os._exit(0)
