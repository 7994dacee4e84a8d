/// When the last orders were admitted: as many as the longest rate window may hold.
struct AdmissionRing {
  private let times: UnsafeMutablePointer<UInt64>
  private let mask: UInt64

  init(holding count: Int) {
    var capacity = 1
    while capacity < count { capacity *= 2 }
    self.times = .allocate(capacity: capacity)
    times.initialize(repeating: 0, count: capacity)
    self.mask = UInt64(capacity - 1)
  }

  var capacity: Int { Int(mask) + 1 }

  @inline(__always)
  func time(of number: UInt64) -> UInt64 { times[Int(number & mask)] }

  @inline(__always)
  func record(_ time: UInt64, number: UInt64) { times[Int(number & mask)] = time }

  /// A larger ring with the same entries; frees this one.
  func grown(toHold count: Int, admitted: UInt64) -> AdmissionRing {
    let next = AdmissionRing(holding: count)
    let kept = min(admitted, UInt64(capacity))
    for number in (admitted - kept)..<admitted { next.record(time(of: number), number: number) }
    free()
    return next
  }

  func free() { times.deallocate() }
}
