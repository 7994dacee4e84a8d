package import Calls

/// Finds the route of a request. Literals win over `*`, which wins over `**`; a verb (`:cancel`) of
/// the table wins over the same text as the end of a segment.
package struct RouteTable: Sendable {
  package struct Match: Sendable {
    /// The position of the route among those given to `init`.
    package let route: Int
    package let bindings: [Binding]
  }

  /// A variable of the template and what the path says it is, decoded.
  package struct Binding: Sendable, Hashable {
    package let field: String
    package let value: String

    package init(field: String, value: String) {
      self.field = field
      self.value = value
    }
  }

  private struct Key: Hashable {
    let method: String
    let verb: String
  }

  private struct Node {
    var literals: [String: Int] = [:]
    var any: Int?
    var rest: Int?
    var routes: [Key: Int] = [:]
  }

  private var nodes = [Node()]
  private let templates: [PathTemplate]
  private var verbs: Set<String> = []
  private var methods: Set<String> = []
  /// The most literals after any `**`.
  private var suffixMax = 0

  package init(_ routes: [(method: String, template: String)]) throws(RouteError) {
    var parsed: [PathTemplate] = []
    for route in routes { parsed.append(try PathTemplate(route.template)) }
    templates = parsed
    for (index, template) in parsed.enumerated() {
      let key = Key(method: routes[index].method, verb: template.verb)
      let node = insert(template)
      if let other = nodes[node].routes[key] {
        throw .conflict(
          "\(routes[other].method) \(routes[other].template)",
          "\(routes[index].method) \(routes[index].template)")
      }
      nodes[node].routes[key] = index
      methods.insert(key.method)
      if !template.verb.isEmpty { verbs.insert(template.verb) }
    }
  }

  private mutating func insert(_ template: PathTemplate) -> Int {
    var at = 0
    for (position, segment) in template.segments.enumerated() {
      let next: Int?
      switch segment {
      case .literal(let text): next = nodes[at].literals[text]
      case .any: next = nodes[at].any
      case .rest:
        next = nodes[at].rest
        suffixMax = max(suffixMax, template.segments.count - position - 1)
      }
      if let next {
        at = next
        continue
      }
      nodes.append(Node())
      let new = nodes.count - 1
      switch segment {
      case .literal(let text): nodes[at].literals[text] = new
      case .any: nodes[at].any = new
      case .rest: nodes[at].rest = new
      }
      at = new
    }
    return at
  }

  /// Nil when no route matches; INVALID_ARGUMENT when one does and an escape in the path is malformed.
  package func match(method: String, path: String) throws(RPCError) -> Match? {
    guard let (route, segments) = find(method: method, path: path) else { return nil }
    var bindings: [Binding] = []
    for variable in templates[route].variables {
      let end = variable.endCountsBackwards ? segments.count + variable.end : variable.end
      var parts: [String] = []
      for segment in segments[variable.start..<end] {
        guard let part = percentDecoded(segment, keepingSlash: variable.isMultiple) else {
          throw .invalid(variable.field, "has a malformed percent escape in the path")
        }
        parts.append(part)
      }
      bindings.append(Binding(field: variable.field, value: parts.joined(separator: "/")))
    }
    return Match(route: route, bindings: bindings)
  }

  /// The methods that have a route for this path: for `405` and its `Allow`. Sorted.
  package func allowedMethods(path: String) -> [String] {
    methods.filter { find(method: $0, path: path) != nil }.sorted()
  }

  private func find(method: String, path: String) -> (route: Int, segments: [Substring])? {
    let path = path.prefix { $0 != "?" }
    guard path.first == "/" else { return nil }
    var segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    let endsWithSlash = segments.last?.isEmpty ?? false
    while segments.last?.isEmpty ?? false { segments.removeLast() }
    // The longest verb first: `a:b:c` may be `:b:c` or `:c`.
    if !endsWithSlash, let last = segments.last {
      for colon in last.indices where last[colon] == ":" && colon != last.startIndex {
        let verb = String(last[last.index(after: colon)...])
        guard verbs.contains(verb) else { continue }
        var cut = segments
        cut[cut.count - 1] = last[..<colon]
        if let route = find(Key(method: method, verb: verb), cut, 0, at: 0) { return (route, cut) }
      }
    }
    guard let route = find(Key(method: method, verb: ""), segments, 0, at: 0) else { return nil }
    return (route, segments)
  }

  /// Depth first, the most specific child first; the depth is that of the templates.
  private func find(_ key: Key, _ segments: [Substring], _ position: Int, at index: Int) -> Int? {
    let node = nodes[index]
    if position == segments.count {
      if let route = node.routes[key] { return route }
    } else {
      let segment = segments[position]
      if let next = node.literals[String(segment)],
        let route = find(key, segments, position + 1, at: next)
      {
        return route
      }
      if let next = node.any, !segment.isEmpty,
        let route = find(key, segments, position + 1, at: next)
      {
        return route
      }
    }
    guard let rest = node.rest else { return nil }
    // The longest literal tail first.
    for tail in max(position, segments.count - suffixMax)...segments.count {
      if let route = findTail(key, segments[tail...], at: rest) { return route }
    }
    return nil
  }

  private func findTail(_ key: Key, _ tail: ArraySlice<Substring>, at index: Int) -> Int? {
    var at = index
    for segment in tail {
      guard let next = nodes[at].literals[String(segment)] else { return nil }
      at = next
    }
    return nodes[at].routes[key]
  }
}
