"""Sends many orders at once, each until it is answered 201, with the same client order id each time.

burst.py URL TOKEN COUNT PREFIX SYMBOL PRICE QUANTITY; the standard library is enough. Each line says
which order was answered, after how many tries: `ID ORDER-ID TRIES`. What is not answered within a
minute is a line `LOST ID LAST-ANSWER`.
"""

import json
import sys
import threading
import time
import urllib.error
import urllib.request

url, token, count, prefix, symbol, price, quantity = sys.argv[1:8]
numbers = iter(range(int(count)))
lock = threading.Lock()
deadline = time.monotonic() + 60
headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def send(name):
    order = {
        "clientOrderId": name, "symbol": symbol, "side": "BUY", "type": "LIMIT", "price": price,
        "quantity": quantity,
    }
    request = urllib.request.Request(url, json.dumps(order).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def client():
    while True:
        with lock:
            number = next(numbers, None)
        if number is None:
            return
        name, tries = f"{prefix}-{number}", 0
        while True:
            tries += 1
            status, text = send(name)
            if status == 201:
                line = f"{name} {json.loads(text)['orderId']} {tries}"
                break
            if time.monotonic() > deadline:
                line = f"LOST {name} {status} {text[:300]}".replace("\n", " ")
                break
            time.sleep(0.05)
        with lock:
            print(line, flush=True)


clients = [threading.Thread(target=client) for _ in range(8)]
for one in clients:
    one.start()
for one in clients:
    one.join()
