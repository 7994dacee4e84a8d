/// Why a private cluster could not be made or started.
package enum ClusterError: Error, Hashable {
  /// The server's programs are not installed.
  case missingPrograms(searched: [String])
  /// The server refuses to run as root, and there is no user `postgres` to run it as.
  case noUser(String)
  case system(String)
  /// A program of PostgreSQL failed; its last words.
  case failed(program: String, status: Int32, output: String)
  case refused(String)
  /// There was a cluster, and it cannot be had: nobody may make an empty one in its place.
  case lost(String)

  package var problem: String {
    switch self {
    case .missingPrograms(let searched):
      "PostgreSQL is not installed (searched \(searched.joined(separator: ", "))): apt install postgresql-15"
    case .noUser(let name):
      "PostgreSQL does not run as root, and there is no user \(name) to run it as"
    case .system(let problem): problem
    case .failed(let program, let status, let output): "\(program) ended with \(status): \(output)"
    case .lost(let problem): problem
    case .refused(let problem): "the private database refuses: \(problem)"
    }
  }
}

extension ClusterError: CustomStringConvertible {
  package var description: String { problem }
}
