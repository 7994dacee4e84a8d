import JSON

extension FuzzTarget {
  /// What is read can be walked to its last leaf, and its own text reads as the same.
  static let json = FuzzTarget(
    name: "json",
    seeds: [
      #"{"order":{"orderId":"o","side":"BUY","price":"50123.50","n":-1.5e-3,"deep":[[[{}]]]}}"#,
      #"[true,false,null,"\u00e9\ud83d\ude00\n","",0,18446744073709551615,1e400]"#,
      #"{"e":"executionReport","E":1700000000000,"s":"BTCUSDT","q":"0.00100000","X":"NEW"}"#,
    ].map { Array($0.utf8) },
    words: [
      "{", "}", "[", "]", "\"", "\\u", "\\ud800", "\\", ":", ",", "null", "true", "1e999", "-",
      "-0",
      "00", "NaN", "\u{FEFF}", "\0", "99999999999999999999", "/**/", "[[[[[[[[[[[[[[[[",
    ]
  ) { bytes in
    do throws(JSONError) {
      let document = try JSONDocument(parsing: bytes)
      let told = shape(document.root, depth: 0)
      let again = try JSONDocument(parsing: Array(document.root.source))
      let same = shape(again.root, depth: 0)
      return Verdict(
        signature: String(told.prefix(60)), fault: told == same ? nil : "\(told) became \(same)")
    } catch {
      return Verdict(signature: kind(error))
    }
  }

  private static func shape(_ value: JSONValue, depth: Int) -> String {
    if let object = value.object {
      return "{" + object.map { "\($0.name):\(shape($0.value, depth: depth + 1))" }.joined() + "}"
    }
    if let array = value.array {
      return "[" + array.map { shape($0, depth: depth + 1) }.joined() + "]"
    }
    // Every reading of a leaf must be safe, whatever it is.
    let readings = (value.int64, value.uint64, value.double?.isFinite, value.bool)
    return value.string.map { "s\($0.utf8.count)" } ?? "\(value.kind)\(readings.0 == nil)"
  }
}
