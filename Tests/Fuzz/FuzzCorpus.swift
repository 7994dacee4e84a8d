import Foundation

/// Inputs of one target that are kept, and the place of the one that is being tried.
struct FuzzCorpus {
  private let folder: String
  let lastInput: String

  init(_ root: String, _ target: String) {
    folder = root + "/" + target
    lastInput = NSTemporaryDirectory() + "/fuzz-\(getuid())-\(target).input"
  }

  var inputs: [[UInt8]] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().compactMap { FileManager.default.contents(atPath: folder + "/" + $0) }
      .map { Array($0) }
  }

  /// Takes the input that was tried last into the corpus; its path.
  func keepLastInput() throws -> String {
    let data = try Data(contentsOf: URL(fileURLWithPath: lastInput))
    let length = data.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    let input = data.dropFirst(4).prefix(length)
    // FNV-1a: the same input has the same name.
    let hash = input.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let path = folder + "/" + String(hash, radix: 16)
    try Data(input).write(to: URL(fileURLWithPath: path))
    return path
  }
}

/// Memory of a file: what is written there outlives a crash of the process, at the cost of a copy.
struct InputMemory {
  private let bytes: UnsafeMutableRawBufferPointer

  init(_ path: String) {
    let size = 4 + Mutation.bytesMax * 2
    let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
    guard descriptor >= 0, ftruncate(descriptor, off_t(size)) == 0,
      let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
      memory != MAP_FAILED
    else { fatalError("\(path) cannot be written") }
    close(descriptor)
    bytes = UnsafeMutableRawBufferPointer(start: memory, count: size)
  }

  func hold(_ input: [UInt8]) {
    bytes.storeBytes(of: UInt32(input.count).littleEndian, as: UInt32.self)
    input.withUnsafeBytes {
      UnsafeMutableRawBufferPointer(rebasing: bytes[4...]).copyMemory(from: $0)
    }
  }
}
