internal import ServiceKit

/// Who may be started when: a service waits until its needs are serving. Needs outside the mesh are
/// no reason to wait, and neither is a circle.
struct StartOrder: Sendable {
  private let needs: [ServiceName: Set<ServiceName>]

  init(_ services: [(name: ServiceName, needs: [ServiceName])]) {
    let present = Set(services.map(\.name))
    needs = Dictionary(
      uniqueKeysWithValues: services.map { ($0.name, Set($0.needs).intersection(present)) })
  }

  /// Those not `started` whose needs are all `serving`. When nothing runs towards serving and all that
  /// is left waits for each other, all of it.
  func startable(started: Set<ServiceName>, serving: Set<ServiceName>) -> [ServiceName] {
    let left = needs.keys.filter { !started.contains($0) }
    let free = left.filter { needs[$0]!.isSubset(of: serving) }
    if free.isEmpty, started.isSubset(of: serving) { return left.sorted() }
    return free.sorted()
  }

  /// Layers from those that everybody needs to those that nobody needs; stopping goes backwards.
  var layers: [[ServiceName]] {
    var layers: [[ServiceName]] = []
    var done: Set<ServiceName> = []
    while done.count < needs.count {
      let layer = startable(started: done, serving: done)
      layers.append(layer)
      done.formUnion(layer)
    }
    return layers
  }
}
