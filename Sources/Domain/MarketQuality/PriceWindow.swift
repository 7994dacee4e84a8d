/// The latest prices, for a robust score of the next one.
struct PriceWindow: Sendable {
  let size: Int
  private var prices: [Int64] = []
  private var next = 0
  private var sorted: [Int64] = []

  init(size: Int) {
    self.size = size
    prices.reserveCapacity(size)
    sorted.reserveCapacity(size)
  }

  /// |price - median| over the standard deviation that the median absolute deviation stands for; nil
  /// until the window is full. A deviation below a tick counts as a tick.
  func score(of price: Int64, tick: Int64) -> Double? {
    guard prices.count == size else { return nil }
    let median = Self.median(sorted)
    let deviation = max(Double(tick), 1.4826 * Self.medianDistance(sorted, from: median))
    return abs(Double(price) - median) / deviation
  }

  mutating func add(_ price: Int64) {
    if prices.count < size {
      prices.append(price)
    } else {
      sorted.remove(at: place(of: prices[next]))
      prices[next] = price
      next = (next + 1) % size
    }
    sorted.insert(price, at: place(of: price))
  }

  /// The first place whose price is not below.
  private func place(of price: Int64) -> Int {
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < price { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private static func median(_ sorted: [Int64]) -> Double {
    let middle = sorted.count / 2
    if sorted.count % 2 == 1 { return Double(sorted[middle]) }
    return (Double(sorted[middle - 1]) + Double(sorted[middle])) / 2
  }

  /// The median of the distances from `center`: they grow from the middle of the sorted prices to both
  /// ends, so walking outwards meets them in order.
  private static func medianDistance(_ sorted: [Int64], from center: Double) -> Double {
    var left = sorted.count / 2 - 1
    var right = sorted.count / 2
    var last = 0.0
    var before = 0.0
    for _ in 0...sorted.count / 2 {
      before = last
      let down = left >= 0 ? center - Double(sorted[left]) : .infinity
      let up = right < sorted.count ? Double(sorted[right]) - center : .infinity
      if down <= up {
        last = down
        left -= 1
      } else {
        last = up
        right += 1
      }
    }
    return sorted.count % 2 == 1 ? last : (before + last) / 2
  }
}
