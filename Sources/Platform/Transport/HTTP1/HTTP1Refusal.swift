/// Why a request was not understood: the status to answer with, before the connection is closed.
package struct HTTP1Refusal: Error, Sendable, Hashable {
  package let status: Int
  package let problem: String

  init(_ status: Int, _ problem: String) {
    self.status = status
    self.problem = problem
  }

  static func bad(_ problem: String) -> HTTP1Refusal { HTTP1Refusal(400, problem) }
}
