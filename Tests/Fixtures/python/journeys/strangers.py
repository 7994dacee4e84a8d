"""Callers that must be turned away: no certificate, a token that was tampered with.

strangers.py STATE FORGED-TOKEN... -- name=port...
"""

import sys

import grpc
from mesh_client import Port, check, code_of, done, ports

cut = sys.argv.index("--")
forged = sys.argv[2:cut]
same = lambda data: data
for name, port in ports(sys.argv[cut + 1:]).items():
    if name == "gateway":
        # It faces people, who have no certificates; what it serves is over HTTP.
        continue
    with open(f"{sys.argv[1]}/pki/ca.crt", "rb") as file:
        anonymous = grpc.ssl_channel_credentials(file.read())
    channel = grpc.secure_channel(f"127.0.0.1:{port}", anonymous)
    check_health = channel.unary_unary("/grpc.health.v1.Health/Check", same, same)
    code, text = code_of(lambda: check_health(b"", timeout=10))
    check(f"DEP-03 {name} without a certificate", code == "UNAVAILABLE", code, text)
    mesh = Port(sys.argv[1], port)
    service = next(s for s in mesh.services() if s.startswith("shrivenquant."))
    method = mesh.methods(service)[0]
    for token in forged:
        if method.server_streaming:
            code, text = code_of(lambda: next(mesh.call(method, token=token)))
        else:
            code, text = code_of(lambda: mesh.call(method, token=token))
        check(f"AUTH-01 {name} with {token[:20]}...", code == "UNAUTHENTICATED", code, text)
done()
