/// A question, and how it is answered: one or more figures.
struct Benchmark {
  let name: String
  let question: String
  let run: () throws -> [Figures]

  static var all: [Benchmark] {
    [
      Benchmark(
        name: "risk.gate",
        question: "what does one check of the gate cost, with the standard limits and with all?",
        run: riskGate),
      Benchmark(
        name: "order-book.apply", question: "what does one level of a recorded delta cost?",
        run: orderBookApply),
      Benchmark(
        name: "order-book.best", question: "what does reading the best bid and ask cost?",
        run: { [10, 1_000, 100_000].map { Figures(orderBookBest(depth: $0)) } }),
      Benchmark(
        name: "order-book.match",
        question: "what does a command cost, of a mix of adding, cancelling and taking?",
        run: { [Figures(matchingMix())] }),
      Benchmark(
        name: "order-book.consolidated",
        question: "what does a venue's best price cost until the best of five venues is known?",
        run: orderBookConsolidated),
      Benchmark(
        name: "order-book.memory", question: "what does a book take of the memory?",
        run: orderBookMemory),
      Benchmark(
        name: "market.frame-to-book.binance",
        question: "what does a depth message cost from its bytes to the book?",
        run: marketFrameToBook),
      Benchmark(
        name: "market.frame-to-strategy",
        question: "how long from an exchange's frame to a strategy, through the real processes?",
        run: FrameToStrategy.run),
      Benchmark(
        name: "market.receive-to-publish",
        question: "how long does the market-connector keep a frame of a recorded day?",
        run: ReceiveToPublish.run),
      Benchmark(
        name: "venue.sign.hmac-sha256", question: "what does the signature of an order cost?",
        run: signing),
      Benchmark(
        name: "matching.add-cancel",
        question: "what does an order cost that waits and is cancelled, among 10,000 others?",
        run: { [Figures(matchingAddCancel())] }),
      Benchmark(
        name: "matching.add-fill", question: "what does a trade cost, and the maker's replacement?",
        run: { [Figures(matchingAddFill())] }),
      Benchmark(
        name: "ring",
        question: "how long does a tick take to another process, and how many go a second?",
        run: RingBenchmark.run),
      Benchmark(
        name: "bus.broadcast",
        question: "how many events a second reach each of four subscribers in one process?",
        run: BusBenchmark.run),
      Benchmark(
        name: "codec.order", question: "what does an order cost to write and to read?",
        run: codecOrder),
      Benchmark(
        name: "rpc.unary",
        question: "how many echoes a second does one core serve, 10 connections of 32 streams?",
        run: UnaryLoad.run),
      Benchmark(
        name: "rpc.unary.tls", question: "what does encryption add to a request?",
        run: UnaryLoadTLS.run),
      Benchmark(
        name: "rpc.unary.unix-spin",
        question: "how long does one echo take when both sides spin on a Unix socket?",
        run: SpinningCalls.run),
      Benchmark(
        name: "rpc.instructions", question: "how many instructions does one echo take?",
        run: Instructions.run),
      Benchmark(
        name: "memory", question: "how much memory does a connection hold, and a stream?",
        run: ConnectionMemory.run),
      Benchmark(
        name: "rpc.unary.sequential", question: "how long does one echo take, one after another?",
        run: SequentialCalls.run),
      Benchmark(
        name: "rpc.streaming", question: "what does one message of a server's stream cost?",
        run: StreamedMessages.run),
      Benchmark(
        name: "journal.append-synced", question: "how long until a record is on the disk?",
        run: JournalAppends.run),
      Benchmark(
        name: "order.submit-durable",
        question: "how long from calling until an order is on the disk and answered?",
        run: DurableSubmits.run),
      Benchmark(
        name: "oms.submit",
        question: "how many orders a second does the oms take, with how many in its history?",
        run: SubmitsWithHistory.run),
      Benchmark(
        name: "oms.recovery",
        question: "how long does the oms take to start, and what do its snapshots cost?",
        run: OrderRecovery.run),
      Benchmark(
        name: "order.post",
        question: "how long from a POST to its answer, and how many orders a second, in a mesh?",
        run: OrdersThroughGateway.run),
      Benchmark(
        name: "order.post.wire", question: "how long from a POST to the venue's socket?",
        run: OrderMeasurements.wire),
      Benchmark(
        name: "order.cancel-all", question: "how long until 10,000 resting orders are cancelled?",
        run: OrderMeasurements.cancelAll),
      Benchmark(
        name: "order.life",
        question: "what does an order's whole life cost each process, in time and allocations?",
        run: OrderMeasurements.life),
      Benchmark(
        name: "oms.follow", question: "what does an event cost that a reader follows?",
        run: FollowedEvents.run),
      Benchmark(
        name: "idle.resident", question: "how much memory does an idle service hold?",
        run: IdleMemory.run),
    ]
  }
}
