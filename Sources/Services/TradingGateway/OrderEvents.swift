internal import Calls
internal import Contracts
internal import ServiceKit

extension LogSource<OmsV1.OrderEvent> {
  /// The oms's events, from its journal.
  static func orders(of oms: OmsV1.OrderServiceClient) -> Self {
    var patient = CallOptions()
    patient.waitsForReady = true
    return LogSource(
      "orders", of: "the oms",
      target: { [patient] in try await oms.getTradingState(.init(), patient).sequence },
      open: { position in
        var request = OmsV1.StreamEventsRequest()
        request.afterSequence = position.sequence
        request.afterMark = position.mark
        let events = try await oms.streamEvents(request)
        return LogReading(
          next: { try await events.next() }, cancel: { events.cancel() })
      },
      position: { LogPosition(sequence: $0.sequence, mark: $0.logMark) })
  }
}
