internal import Venue

/// Our client order ids in the spelling that OKX takes: at most 32 letters and digits.
///
/// A child order's id is 13 characters of Crockford's base 32, a dash and a number. The dash is
/// left out, since the first part has always 13 characters and the number begins with no zero: each
/// text of the one form is exactly one of the other.
enum OKXClientID {
  private static let parentLength = 13

  /// Refused when the name is not of that form: the venue would spell it otherwise, and its reports
  /// would not lead back.
  static func spelled(_ name: String) throws(VenueError) -> String {
    let bytes = Array(name.utf8)
    guard bytes.count > parentLength + 1, bytes[parentLength] == UInt8(ascii: "-"),
      isParent(bytes[..<parentLength]), isSequence(bytes[(parentLength + 1)...])
    else {
      throw VenueError(
        .invalidOrder, "clientOrderID \(name) is not 13 characters of base 32, a dash and a number")
    }
    return String(decoding: bytes[..<parentLength] + bytes[(parentLength + 1)...], as: UTF8.self)
  }

  /// Back again; what we cannot have sent stays as it is.
  static func parsed(_ text: String) -> String {
    let bytes = Array(text.utf8)
    guard bytes.count > parentLength, isParent(bytes[..<parentLength]),
      isSequence(bytes[parentLength...])
    else { return text }
    return String(
      decoding: bytes[..<parentLength] + [UInt8(ascii: "-")] + bytes[parentLength...],
      as: UTF8.self)
  }

  private static func isParent(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "I"), UInt8(ascii: "L"), UInt8(ascii: "O"), UInt8(ascii: "U"): false
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
      default: false
      }
    }
  }

  /// A positive number of 32 bits as it is written.
  private static func isSequence(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let first = bytes.first, first != UInt8(ascii: "0"), bytes.count <= 10,
      bytes.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") })
    else { return false }
    return UInt32(String(decoding: bytes, as: UTF8.self)) != nil
  }
}
