/// An item that the server refused for its own sake, and why.
package struct RefusedItem<Item: Sendable>: Sendable {
  package let item: Item
  package let error: SQLError
}

extension Database {
  /// Writes `items` and then `last`, all in one transaction. When the server refuses the data of some,
  /// these are found by halving, everything else is written, and `last` comes with what `setAside` says
  /// of each of them: one bad row never holds up the others.
  ///
  /// A crash in between leaves a part of the items written without `last`: writing them again must be
  /// harmless. Other errors, such as a server that is away or full, are thrown as they are.
  package func write<Item: Sendable>(
    _ items: [Item], as statements: @Sendable ([Item]) -> [Statement], finally last: [Statement],
    setAside: @Sendable (RefusedItem<Item>) -> Statement
  ) async throws(SQLError) -> [RefusedItem<Item>] {
    do throws(SQLError) {
      try await pipeline(statements(items) + last)
      return []
    } catch {
      guard error.isOfTheData, !items.isEmpty else { throw error }
      let refused = try await refused(of: items[...], statements)
      try await pipeline(refused.map(setAside) + last)
      return refused
    }
  }

  private func refused<Item: Sendable>(
    of items: ArraySlice<Item>, _ statements: @Sendable ([Item]) -> [Statement]
  ) async throws(SQLError) -> [RefusedItem<Item>] {
    do throws(SQLError) {
      try await pipeline(statements(Array(items)))
      return []
    } catch {
      guard error.isOfTheData else { throw error }
      if items.count == 1 { return items.map { RefusedItem(item: $0, error: error) } }
      let middle = items.startIndex + items.count / 2
      return try await refused(of: items[..<middle], statements)
        + refused(of: items[middle...], statements)
    }
  }
}
