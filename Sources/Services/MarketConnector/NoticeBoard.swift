internal import Calls
internal import Contracts
internal import EventBus
private import Synchronization

/// Notices of all venues to whoever listens; a slow listener loses the oldest.
final class NoticeBoard: Sendable {
  private let topic: Topic<MarketV1.MarketNotice>
  private let listenersMax: Int
  private let queueMax: Int

  init(_ config: Config) {
    topic = Topic(name: "notices", capacity: config.noticesMax)
    listenersMax = config.readersMax
    queueMax = config.noticesMax
  }

  func post(_ notice: MarketV1.MarketNotice) {
    do throws(TopicError) {
      try topic.publishNow(notice)
    } catch {
      // After the end there is nobody to tell; listeners that are full lose their oldest instead.
      return
    }
  }

  func listen() throws(RPCError) -> Subscription<MarketV1.MarketNotice> {
    guard topic.subscriberCount < listenersMax else {
      throw RPCError(.resourceExhausted, "\(listenersMax) streams are open (readers_max)")
    }
    return topic.subscribe("notices", capacity: queueMax, overflow: .dropOldest)
  }

  var listeners: Int { topic.subscriberCount }

  func close() { topic.finish() }
}
