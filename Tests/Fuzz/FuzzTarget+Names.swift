@testable import Transport

extension FuzzTarget {
  /// Addresses, paths, queries and host names: what is read is written again as something that reads
  /// as the same.
  static let names = FuzzTarget(
    name: "names",
    seeds: [
      "127.0.0.1:50051", "[::1]:443", "unix:/run/a.sock", "localhost:0", "dns:///name:1",
      "/v1/books/BTC-USDT?depth=5&x=%41+b", "%C3%B6%00", "?a=b&&c&=d&e==f",
    ].map { Array($0.utf8) },
    words: ["unix:", "[", "]", ":", "65535", "65536", "%", "%00", "%ff", "?", "&", "=", "+", "::"]
  ) { bytes in
    let text = String(decoding: bytes, as: UTF8.self)
    let address = Address(text)
    if let address, Address(address.description) != address {
      return Verdict(signature: "", fault: "\(address) does not come back")
    }
    if percentDecoded(percentEncoded(text)) != text, !text.utf8.contains(0) {
      return Verdict(signature: "", fault: "\(text) is escaped to \(percentEncoded(text))")
    }
    let decoded = percentDecoded(text)
    let request = HTTPRequest(method: "GET", target: text)
    let items = request.queryItems
    let isSplit = String(request.path) + (request.query.map { "?" + $0 } ?? "") == text
    return Verdict(
      signature: "\(address == nil)\(decoded == nil)\(items?.count.description.prefix(1) ?? "-")",
      fault: isSplit ? nil : "\(request.path) and \(request.query ?? "") are not \(text)")
  }
}
