internal import Bytes
internal import CLinux
internal import Glibc

/// Where a ring's file is. People and readers find it in a folder of theirs; the memory itself is in
/// that folder when its files are in memory, else in /dev/shm with a link to it in the folder.
///
/// A ring on a disk would work and be slow: the kernel writes its pages back every few seconds, and
/// the first write to a page after that waits.
package struct RingPlace: Sendable, Hashable {
  /// In the folder.
  package let link: String
  /// The same, or where it leads to.
  package let path: String

  /// `folder` is an absolute path. On a machine without /dev/shm the file is in the folder.
  package init(_ name: String, in folder: String, memory: String = "/dev/shm") {
    link = "\(folder)/\(name)"
    let isFar = clinux_is_in_memory(folder) == 0 && clinux_is_in_memory(memory) != 0
    let mark = String(XXHash64.of(folder), radix: 16)
    path = isFar ? "\(memory)/shrivenquant-\(geteuid())-\(mark)-\(name)" : link
  }

  /// Makes the link, for the writer; whatever else has its name gives way.
  package func publish() throws(RingError) {
    guard path != link, !isPublished else { return }
    unlink(link)
    guard symlink(path, link) == 0 else { throw .system(link, "symlink") }
  }

  package func withdraw() {
    if path != link, isPublished { unlink(link) }
  }

  private var isPublished: Bool {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(link, &buffer, buffer.count - 1)
    guard count > 0 else { return false }
    return path.utf8.elementsEqual(buffer.prefix(count).map { UInt8(bitPattern: $0) })
  }
}
