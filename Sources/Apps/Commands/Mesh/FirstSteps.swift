internal import ServiceKit

/// Three commands to paste, with the paths and ports of this very mesh.
enum FirstSteps {
  static func text(gateway port: Int, program: String, state: StateFolder) -> String {
    let base = "http://127.0.0.1:\(port)"
    let token = "$(\(quoted(program)) token --state \(quoted(state.path))"
    let order =
      #"{"clientOrderId":"first-order","symbol":"BTCUSDT","side":"BUY","type":"MARKET","#
      + #""quantity":"0.001"}"#
    return """

      Try it:

        curl -s \(base)/health/ready

        curl -s -H "Authorization: Bearer \(token))" '\(base)/v1/books/BTCUSDT?depth=5'

        curl -s -X POST -H "Authorization: Bearer \(token) --user trader)" \\
          -H 'Content-Type: application/json' -d '\(order)' \(base)/v1/orders


      """
  }

  /// For a shell: as it is when nothing in it means anything there.
  static func quoted(_ path: String) -> String {
    let plain = path.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "-")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
    }
    if plain { return path }
    let parts = path.split(separator: "'", omittingEmptySubsequences: false)
    return "'" + parts.joined(separator: #"'\''"#) + "'"
  }
}
