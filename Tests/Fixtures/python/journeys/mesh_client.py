"""A stock gRPC client of a mesh: every message and method it knows, it learns by reflection."""

import json
import os

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


def check(name, condition, *what):
    print("ok" if condition else "FAILED", name, *(what if not condition else ()), flush=True)
    return condition


def read(path):
    with open(path, "rb") as file:
        return file.read()


def ports(words):
    return dict(word.split("=") for word in words)


class Port:
    """One service's port, reached with the operator's certificate or without one."""

    def __init__(self, state, address, certificate="operator"):
        pki = f"{state}/pki"
        pair = (read(f"{pki}/{certificate}.key"), read(f"{pki}/{certificate}.crt"))
        key, chain = pair if certificate else (None, None)
        credentials = grpc.ssl_channel_credentials(read(f"{pki}/ca.crt"), key, chain)
        self.channel = grpc.secure_channel(f"127.0.0.1:{address}", credentials)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = DescriptorPool(self.database)

    def services(self):
        return sorted(self.database.get_services())

    def methods(self, service):
        return list(self.pool.FindServiceByName(service).methods)

    def find(self, service, name):
        return self.pool.FindServiceByName(service).FindMethodByName(name)

    def call(self, method, request=None, token=None, timeout=10):
        asked = GetMessageClass(method.input_type)()
        json_format.ParseDict(request or {}, asked)
        answered = GetMessageClass(method.output_type)
        path = f"/{method.containing_service.full_name}/{method.name}"
        kind = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        stub = kind(path, lambda m: m.SerializeToString(), answered.FromString)
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        return stub(asked, timeout=timeout, metadata=metadata)


def code_of(call):
    """The status of a call, and its message."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""


def as_json(message):
    return json.loads(json_format.MessageToJson(message))


def done():
    print("done", flush=True)
    # grpcio's own threads sometimes never let the interpreter end.
    os._exit(0)
