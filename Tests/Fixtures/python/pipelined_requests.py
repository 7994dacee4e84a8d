"""Speaks HTTP/1.1 with the standard library: kept connections, chunks, and requests in a row.

usage: pipelined_requests.py PORT; prints what was wrong and ends with 1, or prints "ok".
"""

import http.client
import socket
import sys

port = int(sys.argv[1])


def check(condition, what):
    if not condition:
        print(what)
        sys.exit(1)


connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
for number in range(20):
    connection.request("POST", f"/{number}", body=b"x" * number)
    answer = connection.getresponse()
    body = answer.read()
    check(answer.status == 200, f"{number}: status {answer.status}")
    check(body == f"POST /{number} {number}".encode(), f"{number}: {body}")
own_port = connection.sock.getsockname()[1]
connection.request("POST", "/chunks", body=iter([b"ab", b"c" * 5000, b"d"]), encode_chunked=True,
                   headers={"Transfer-Encoding": "chunked"})
check(connection.getresponse().read() == b"POST /chunks 5003", "chunks")
check(connection.sock.getsockname()[1] == own_port, "the connection was not kept")
connection.request("HEAD", "/head")
answer = connection.getresponse()
check(answer.read() == b"" and answer.getheader("content-length") == "12", "HEAD")
connection.close()

# Twenty requests at once, of several shapes, cut into pieces of seven bytes.
requests = b""
for number in range(20):
    if number % 3 == 0:
        requests += f"GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    elif number % 3 == 1:
        requests += f"POST /{number} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc".encode()
    else:
        requests += (f"POST /{number} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n").encode()
requests += b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
raw = socket.create_connection(("127.0.0.1", port), timeout=10)
raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for start in range(0, len(requests), 7):
    raw.sendall(requests[start:start + 7])
answers = b""
while True:
    piece = raw.recv(65536)
    if not piece:
        break
    answers += piece
check(answers.count(b"HTTP/1.1 200 OK\r\n") == 21, f"{answers.count(b'HTTP/1.1 200')} answers")
order = [answers.find(f" /{number} ".encode()) for number in range(20)] + [answers.find(b" /last ")]
check(-1 not in order and order == sorted(order), f"the order is {order}")
print("ok")
