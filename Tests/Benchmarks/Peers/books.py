"""Applies the levels of a file to other people's order books and prints nanoseconds per level.

`books.py LIBRARY FILE ROUNDS`: the file holds little-endian int64 numbers, one message after another:
the count of its levels, then side (1 bid, -1 ask), price in cents, quantity in 1e-8 for each. The
first message is the snapshot. One line per round. Making the library's own objects of the numbers is
not timed, applying them is.
"""

import sys
import time

import numpy as np


def messages(path):
    numbers = np.fromfile(path, dtype="<i8")
    position, found = 0, []
    while position < len(numbers):
        count = int(numbers[position])
        end = position + 1 + 3 * count
        found.append(numbers[position + 1 : end].reshape(count, 3))
        position = end
    return found


def nautilus_trader(found, rounds):
    from nautilus_trader.model.book import OrderBook
    from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
    from nautilus_trader.model.enums import BookAction, BookType, OrderSide, RecordFlag
    from nautilus_trader.model.identifiers import InstrumentId
    from nautilus_trader.model.objects import Price, Quantity

    instrument = InstrumentId.from_str("BTCUSDT.BINANCE")

    def deltas(levels, sequence):
        made = []
        for index, (side, price, quantity) in enumerate(levels.tolist()):
            order = BookOrder(
                OrderSide.BUY if side > 0 else OrderSide.SELL,
                Price(price / 100, 2),
                Quantity(quantity / 1e8, 8),
                0,
            )
            action = BookAction.UPDATE if quantity else BookAction.DELETE
            flags = RecordFlag.F_LAST if index == len(levels) - 1 else 0
            made.append(OrderBookDelta(instrument, action, order, flags, sequence, sequence, sequence))
        return OrderBookDeltas(instrument, made)

    batches = [deltas(levels, n) for n, levels in enumerate(found) if len(levels)]
    snapshot, batches = batches[0], batches[1:]
    count = sum(len(levels) for levels in found[1:])
    for _ in range(rounds):
        book = OrderBook(instrument, BookType.L2_MBP)
        book.apply_deltas(snapshot)
        start = time.perf_counter_ns()
        for batch in batches:
            book.apply_deltas(batch)
        print((time.perf_counter_ns() - start) / count, flush=True)


def hftbacktest(found, rounds):
    from hftbacktest import (
        BUY_EVENT,
        DEPTH_EVENT,
        DEPTH_SNAPSHOT_EVENT,
        EXCH_EVENT,
        LOCAL_EVENT,
        SELL_EVENT,
        BacktestAsset,
        ROIVectorMarketDepthBacktest,
        event_dtype,
    )
    from numba import njit

    rows = np.concatenate(found)
    events = np.zeros(len(rows), event_dtype)
    first = len(found[0])
    kind = np.full(len(rows), DEPTH_EVENT, dtype=np.uint64)
    kind[:first] = DEPTH_SNAPSHOT_EVENT
    side = np.where(rows[:, 0] > 0, BUY_EVENT, SELL_EVENT).astype(np.uint64)
    events["ev"] = kind | side | EXCH_EVENT | LOCAL_EVENT
    stamps = np.repeat(np.arange(1, len(found) + 1), [len(levels) for levels in found])
    events["exch_ts"] = stamps * 1_000
    events["local_ts"] = stamps * 1_000
    events["px"] = rows[:, 1] / 100
    events["qty"] = rows[:, 2] / 1e8

    @njit
    def run(backtest, duration):
        return backtest.elapse(duration)

    def prepared():
        asset = (
            BacktestAsset()
            .data([events])
            .linear_asset(1.0)
            .constant_order_latency(0, 0)
            .power_prob_queue_model(2.0)
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(0.01)
            .lot_size(0.00001)
            .roi_lb(float(events["px"].min()))
            .roi_ub(float(events["px"].max()))
        )
        return ROIVectorMarketDepthBacktest([asset])

    # The snapshot, and what the just-in-time compiler does, come before.
    for _ in range(rounds):
        backtest = prepared()
        run(backtest, 1_500 - 1_000)
        start = time.perf_counter_ns()
        run(backtest, 1_000 * len(found))
        print((time.perf_counter_ns() - start) / (len(rows) - first), flush=True)
        backtest.close()


if __name__ == "__main__":
    library, path, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    {"nautilus_trader": nautilus_trader, "hftbacktest": hftbacktest}[library](messages(path), rounds)
