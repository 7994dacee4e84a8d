import Foundation

/// A sound token, spoilt in every way that must be noticed.
struct ForgedTokens {
  let all: [String]

  init(from token: String) {
    let parts = token.split(separator: ".").map(String.init)
    let (header, claims, signature) = (parts[0], parts[1], parts[2])
    let admin = Self.rewritten(claims) {
      $0.replacingOccurrences(of: "trader", with: "admin")
        .replacingOccurrences(of: "orders.read", with: "risk.write")
    }
    let otherKey = Self.rewritten(header) { text in
      text.replacingOccurrences(of: "\"kid\":\"", with: "\"kid\":\"x")
    }
    let unsigned = Self.encode(#"{"alg":"none","typ":"JWT"}"#)
    let symmetric = Self.encode(#"{"alg":"HS256","typ":"JWT"}"#)
    all = [
      "\(header).\(admin).\(signature)",
      "\(header).\(claims).\(Self.turned(signature))",
      "\(header).\(claims).",
      "\(unsigned).\(admin).",
      "\(unsigned).\(claims).\(signature)",
      "\(symmetric).\(claims).\(signature)",
      "\(otherKey).\(claims).\(signature)",
      "\(header).\(claims)",
      "nonsense",
    ]
  }

  private static func rewritten(_ part: String, _ change: (String) -> String) -> String {
    var padded = part.replacingOccurrences(of: "-", with: "+").replacingOccurrences(
      of: "_", with: "/")
    while padded.count % 4 != 0 { padded += "=" }
    let text = String(decoding: Data(base64Encoded: padded) ?? Data(), as: UTF8.self)
    return encode(change(text))
  }

  private static func encode(_ text: String) -> String {
    Data(text.utf8).base64EncodedString().replacingOccurrences(of: "+", with: "-")
      .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
  }

  /// Another character in the middle: the last one carries bits that do not count.
  private static func turned(_ text: String) -> String {
    var characters = Array(text)
    let middle = characters.count / 2
    characters[middle] = characters[middle] == "A" ? "B" : "A"
    return String(characters)
  }
}
