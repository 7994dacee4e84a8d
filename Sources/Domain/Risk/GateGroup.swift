/// A symbol over all venues that list it: its position is one, and so is its worst case.
///
/// Markets of a symbol may count in different steps. Here quantities and prices have the scales of
/// the finest of them, and sums are bounded far below what 128 bits hold.
struct GateGroup {
  /// Signed; filled.
  var position: Int128 = 0
  /// Admitted and not yet filled or released.
  var openBuy: Int128 = 0
  var openSell: Int128 = 0
  var longMax: Int128 = 0
  var shortMax: Int128 = 0
  /// What the symbol adds to the account's gross exposure; kept only while that is limited.
  var exposure: Int128 = 0
  /// Raw notional of the group times this is money at the account's scale.
  var moneyFactor: Int128 = 1
  /// The highest mark of its markets.
  var mark: Int64 = 0
  /// Values exposure where there is no mark at all.
  var orderPrice: Int64 = 0
  /// The first of its markets.
  var first: Int32 = -1
  var quantityScale: UInt8 = 0
  var priceScale: UInt8 = 0

  static let stride = 256
  /// No sum may be larger, and no limit is; three of them still fit.
  static let sumMax: Int128 = 1 << 122
}

extension RiskGate {
  @inline(__always)
  func group(_ slot: UnsafeMutablePointer<GateSlot>) -> UnsafeMutablePointer<GateGroup> {
    slot.pointee.group
  }

  @inline(__always)
  func group(at index: Int) -> UnsafeMutablePointer<GateGroup> {
    (groups + index * GateGroup.stride).assumingMemoryBound(to: GateGroup.self)
  }

  /// Adds to a sum of a group, or halts.
  @inline(__always)
  func add(_ amount: Int128, to sum: inout Int128) {
    let (result, overflow) = sum.addingReportingOverflow(amount)
    guard !overflow, result <= GateGroup.sumMax, result >= -GateGroup.sumMax else { return halt() }
    sum = result
  }

  /// A raw quantity in the group's units; below 2^123, as factors are at most 10^18.
  @inline(__always)
  func grouped(_ quantity: Int64, _ slot: UnsafeMutablePointer<GateSlot>) -> Int128 {
    let factor = slot.pointee.quantityFactor
    // As nearly everywhere: a test is cheaper than 128 bits times 128 bits.
    if factor == 1 { return Int128(quantity) }
    let product = quantity.multipliedFullWidth(by: factor)
    return Int128(product.high) << 64 | Int128(product.low)
  }

  /// A price in the group's units; one that does not fit is the highest that does.
  @inline(__always)
  func groupPrice(_ price: Int64, _ slot: UnsafeMutablePointer<GateSlot>) -> Int64 {
    let (product, overflow) = price.multipliedReportingOverflow(by: slot.pointee.priceFactor)
    return overflow ? .max : product
  }

  /// After a mark of one of its markets has moved.
  func remark(_ group: UnsafeMutablePointer<GateGroup>) {
    var highest: Int64 = 0
    var index = group.pointee.first
    while index >= 0 {
      let slot = slot(at: Int(index))
      highest = max(highest, groupPrice(slot.pointee.mark, slot))
      index = slot.pointee.nextOfGroup
    }
    group.pointee.mark = highest
  }

  /// The sums of the groups anew, from their markets.
  func regroup() {
    for index in 0..<groupCount {
      let group = group(at: index)
      group.pointee.position = 0
      group.pointee.openBuy = 0
      group.pointee.openSell = 0
      remark(group)
    }
    for index in 0..<slotCount where slot(at: index).pointee.isKnown {
      let slot = slot(at: index)
      let group = group(slot)
      add(grouped(slot.pointee.position, slot), to: &group.pointee.position)
      add(grouped(slot.pointee.openBuy, slot), to: &group.pointee.openBuy)
      add(grouped(slot.pointee.openSell, slot), to: &group.pointee.openSell)
    }
  }
}
