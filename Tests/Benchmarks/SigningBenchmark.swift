import CAllocationCount
import Chrono
import Security

/// What does the signature of an order cost, with the key's state kept and with the key taken in
/// anew each time? The message is the documented order of Binance, 110 bytes; each sample is a
/// batch.
func signing() throws -> [Figures] {
  let key = Array("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j".utf8)
  let query =
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
    + "&timestamp=1499827319559"
  let signer = MessageSigner(key: key)
  let plain = Array(query.utf8)
  var message = plain
  message.reserveCapacity(plain.count + 100)
  let kept = measureSigning("venue.sign.hmac-sha256") {
    message.removeLast(message.count - plain.count)
    signer.sign(&message, "&signature=")
  }
  var sum = 0
  let anew = measureSigning("") { sum &+= Int(Digest.hmacSHA256(plain, key: key)[0]) }
  guard String(decoding: message, as: UTF8.self).hasSuffix("c4b2838bd6b71"), sum > 0 else {
    throw Broken("the signature is another one")
  }
  var figures = kept
  figures.peer = "OpenSSL's HMAC with the key each time"
  figures.ratio = (anew.p50 ?? 0) / (kept.p50 ?? 1)
  figures.more = [
    ("peer_p50_ns", anew.p50 ?? 0), ("message_bytes", Double(plain.count)),
  ]
  return [figures]
}

private func measureSigning(_ name: String, _ body: () -> Void) -> Figures {
  let (batch, batches) = (64, 4_000)
  let time = SystemTime()
  for _ in 0..<batch * 20 { body() }
  var samples: [Double] = []
  samples.reserveCapacity(batches)
  var allocations: Int64 = 0
  for _ in 0..<batches {
    let before = allocation_count()
    let start = time.uptime.nanoseconds
    for _ in 0..<batch { body() }
    samples.append(Double(time.uptime.nanoseconds - start) / Double(batch))
    allocations += allocation_count() - before
  }
  var figures = Figures(name, samples: samples)
  figures.operationsPerSecond = 1e9 / (figures.p50 ?? 1)
  figures.allocations = Double(allocations) / Double(batch * batches)
  return figures
}
