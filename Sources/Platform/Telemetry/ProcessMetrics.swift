internal import Glibc

/// What Prometheus expects every process to say about itself, read from /proc at each scrape.
package enum ProcessMetrics {
  package static func register(in registry: MetricsRegistry) {
    registry.counter(
      "process_cpu_seconds_total", help: "User and system CPU time spent.", read: cpuSeconds)
    registry.gauge(
      "process_resident_memory_bytes", help: "Resident memory size.",
      read: { pages(statmField: 1) })
    registry.gauge(
      "process_virtual_memory_bytes", help: "Virtual memory size.", read: { pages(statmField: 0) })
    registry.gauge("process_open_fds", help: "Open file descriptors.", read: openDescriptors)
    registry.gauge(
      "process_max_fds", help: "Most file descriptors that may be open.", read: descriptorsMax)
    let start = startSeconds()
    registry.gauge(
      "process_start_time_seconds", help: "Start of the process since 1970.", read: { start })
  }

  private static func cpuSeconds() -> Double {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
  }

  private static func seconds(_ time: timeval) -> Double {
    Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000
  }

  private static func pages(statmField field: Int) -> Double {
    let fields = read("/proc/self/statm").split(separator: " ")
    guard field < fields.count, let count = Double(fields[field]) else { return .nan }
    return count * Double(sysconf(Int32(_SC_PAGESIZE)))
  }

  private static func openDescriptors() -> Double {
    guard let folder = opendir("/proc/self/fd") else { return .nan }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    // Without ".", ".." and the descriptor of this listing.
    return Double(count - 3)
  }

  private static func descriptorsMax() -> Double {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Double(limit.rlim_cur)
  }

  /// proc(5): the boot time, plus field 22 of stat, which counts clock ticks after the boot.
  private static func startSeconds() -> Double {
    let boot = read("/proc/stat").split(separator: "\n").first { $0.hasPrefix("btime ") }
    // The second field is the command in parentheses and may hold blanks: count from its end.
    let stat = read("/proc/self/stat").split(separator: ")").last?.split(separator: " ") ?? []
    guard let boot, let bootSeconds = Double(boot.dropFirst(6)), stat.count > 19,
      let ticks = Double(stat[19])
    else { return .nan }
    return bootSeconds + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  private static func read(_ path: String) -> String {
    let fd = open(path, O_RDONLY)
    guard fd >= 0 else { return "" }
    defer { close(fd) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = Glibc.read(fd, &chunk, chunk.count)
      if count <= 0 { break }
      bytes += chunk[0..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
