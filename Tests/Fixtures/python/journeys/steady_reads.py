"""Reads a URL again and again, from several connections, for as long as a file exists (a minute at most); says how often, and
what was not answered with 200."""

import http.client
import os
import sys
import threading
import time
from urllib.parse import urlsplit

url, token, while_exists = urlsplit(sys.argv[1]), sys.argv[2], sys.argv[3]
end = time.monotonic() + 60
answered = 0
faults = []
lock = threading.Lock()


def read():
    global answered
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    while os.path.exists(while_exists) and time.monotonic() < end:
        try:
            connection.request("GET", f"{url.path}?{url.query}", headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            with lock:
                faults.append(repr(error))
            return
        with lock:
            answered += 1
            if response.status != 200:
                faults.append(f"{response.status} {body[:200]!r}")


threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for fault in faults[:5]:
    print("FAILED", len(faults), "of", answered, fault)
print("ok", answered, "answers")
print("done")
