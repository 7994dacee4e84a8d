internal import Glibc
internal import Wire

/// protoc's plugin: a CodeGeneratorRequest on standard input, a CodeGeneratorResponse on standard output.
@main
enum ProtocPlugin {
  static func main() {
    var response: [UInt8] = []
    do {
      for file in try Generator(request: readAll()).files() {
        // CodeGeneratorResponse.file = 15: name = 1, content = 15.
        append(
          15, counted(1, Array(file.path.utf8)) + counted(15, Array(file.content.utf8)),
          to: &response)
      }
    } catch let error as GenerationError {
      append(1, Array(error.text.utf8), to: &response)
    } catch {
      append(1, Array("\(error)".utf8), to: &response)
    }
    writeAll(response)
  }

  private static func append(_ field: UInt32, _ bytes: [UInt8], to response: inout [UInt8]) {
    response += counted(field, bytes)
  }

  private static func counted(_ field: UInt32, _ bytes: [UInt8]) -> [UInt8] {
    varint(UInt64(field << 3 | 2)) + varint(UInt64(bytes.count)) + bytes
  }

  private static func varint(_ value: UInt64) -> [UInt8] {
    var value = value
    var bytes: [UInt8] = []
    while value >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    return bytes + [UInt8(value)]
  }

  private static func readAll() -> [UInt8] {
    var input: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(STDIN_FILENO, &buffer, buffer.count)
      guard count > 0 else { return input }
      input += buffer[..<count]
    }
  }

  private static func writeAll(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress!, $0.count) }
      guard count > 0 else { exit(1) }
      rest = rest.dropFirst(count)
    }
  }
}
