internal import Recording
internal import ServiceKit
internal import Venues

enum ReplayCommand {
  static let command = Command(
    CommandForm(
      "replay", operands: "FILE", 1...64,
      summary:
        "Plays recordings through the adapters and books, and says whether every check holds.",
      notes: """
          shrivenquant replay spot_btcusdt_20240808.gz spot_btcusdt_20240809.gz

        Nothing is connected and nothing is started: the frames go through the code that reads the \
        exchange's sockets. Books and best prices of Binance (spot and USD-M), Kraken (version 1 and \
        2, futures) and OKX, in every format of docs/recordings.md; several files of one exchange are \
        merged by time. Checked: that updates follow one another, every checksum, that no book is \
        crossed, and at Binance the best prices wherever the exchange told those of an update \
        (COMPARED) or of the very snapshot (AT-SNAPSHOT). Exit \
        code 1: a check failed, or there was nothing to check; what was found is shown with the number of its frame. To trade \
        on a recording, see `up --replay`.
        """)
  ) { arguments in
    let paths = arguments.operands
    let recordings = try paths.map { path in
      let bytes = try readFile(path)
      do throws(RecordingError) {
        return try Recording(bytes)
      } catch {
        throw CommandError("\(path): \(error) (docs/recordings.md lists the formats)")
      }
    }
    let frames = Recording(merging: recordings).frames
    var check = RecordingCheck(try RecordingSurvey(frames))
    check.play(frames)
    return report(check, frames: frames.count)
  }

  private static let findingsShownMax = 20

  private static func report(_ check: RecordingCheck, frames: Int) -> Int32 {
    var rows = [
      [
        "SYMBOL", "SNAPSHOTS", "UPDATES", "LEVELS", "TRADES", "TICKERS", "COMPARED", "AT-SNAPSHOT",
        "DIFFERENT",
      ]
    ]
    var sum = RecordingCheck.Counts()
    for (symbol, counts) in check.counts {
      let numbers = [
        counts.snapshots, counts.updates, counts.levels, counts.trades, counts.tops,
        counts.compared, counts.comparedAtSnapshot, counts.different,
      ]
      rows.append([symbol] + numbers.map { String($0) })
      sum.updates += counts.updates
      sum.compared += counts.compared
      sum.different += counts.different
    }
    Terminal.say("\(check.survey.venue.rawValue), \(frames) frames\n")
    Terminal.say(Terminal.table(rows))
    for finding in check.findings.prefix(findingsShownMax) {
      Terminal.say("frame \(finding.frame): \(finding.text)")
    }
    if check.findings.count > findingsShownMax {
      Terminal.say("and \(check.findings.count - findingsShownMax) more")
    }
    for (symbol, counts) in check.counts where counts.snapshots == 0 {
      Terminal.say("\(symbol): there is no snapshot of its book, so nothing of it was checked")
    }
    let failures = check.findings.count(where: \.isFailure)
    guard sum.updates > 0 || failures > 0 else {
      Terminal.say("nothing was checked: no update of a book follows a snapshot")
      return 1
    }
    Terminal.say(
      "\(failures == 0 ? "every check holds" : "not every check holds"): \(sum.updates) updates in "
        + "sequence, \(check.checksums) checksums equal and \(check.checksumFaults) not, "
        + "\(sum.compared) best prices compared and \(sum.different) different, \(failures) failures"
    )
    return failures == 0 ? 0 : 1
  }
}
