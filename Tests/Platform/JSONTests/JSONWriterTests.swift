import JSON
import Testing

@Suite struct `JSON writer` {
  @Test func `commas, names and nesting stand where they belong`() {
    var json = JSONWriter()
    json.object { json in
      json.member("symbol", "BTC-USDT")
      json.member(
        "bids",
        array: { json in
          json.array { json in
            json.string("0.10")
            json.number(text: "5.00")
          }
          json.array { _ in }
        })
      json.member("empty", object: { _ in })
      json.member("live", true)
      json.member("count", UInt64.max)
      json.member("least", Int64.min)
      json.name("none")
      json.null()
      json.member("ratio", double: 0.1)
      json.member("whole", double: 3)
    }

    #expect(
      json.text == """
        {"symbol":"BTC-USDT","bids":[["0.10",5.00],[]],"empty":{},"live":true,\
        "count":18446744073709551615,"least":-9223372036854775808,"none":null,"ratio":0.1,"whole":3}
        """)
  }

  @Test func `what is written is read back the same`() throws {
    let nasty = "quote\" slash\\ tab\t null\u{0} bell\u{7} line\n é 😀 </script>"
    var json = JSONWriter()
    json.object { json in json.member(nasty, nasty) }

    let document = try JSONDocument(parsing: json.finished())

    #expect(document[nasty]?.string == nasty)
    #expect(json.text.contains(#"\u0000"#))
  }

  @Test func `doubles come back exactly`() throws {
    var generator = Seeded(state: 3)
    for _ in 0..<5_000 {
      let value = Double(bitPattern: .random(in: 0...UInt64.max, using: &generator))
      guard value.isFinite else { continue }
      var json = JSONWriter()
      json.double(value)
      #expect(try JSONDocument(parsing: json.finished()).root.double == value)
    }
  }

  @Test func `a value of another document is copied as it stands`() throws {
    let document = try JSONDocument(parsing: #"{"id": "a\u0062", "rows": [1.50, {"x": null}]}"#)
    var json = JSONWriter()
    json.array { json in
      json.value(document["id"]!)
      json.value(document["rows"]!)
    }

    #expect(json.text == #"["a\u0062",[1.50, {"x": null}]]"#)
  }
}
