import Bytes
import Foundation
import JSON
import Security
import TestKit
import Testing

@Suite struct `Keys and digests` {
  @Test(.disabled(if: sharedVectors("wycheproof/ed25519_test.json") == nil, "no shared vectors"))
  func `Ed25519 agrees with every Wycheproof vector`() throws {
    let document = try JSONDocument(
      parsing: try #require(sharedVectors("wycheproof/ed25519_test.json")))
    var count = 0
    for group in try document.root.array("testGroups") {
      let key = try VerifyingKey(raw: hex(try group.member("publicKey").string("pk")))
      for test in try group.array("tests") {
        let accepted = key.verify(try hex(test.string("sig")), of: try hex(test.string("msg")))
        let isValid = try test.string("result") == "valid"
        #expect(accepted == isValid, "\(test)")
        count += 1
      }
    }
    #expect(count > 50)
  }

  @Test(
    .disabled(if: sharedVectors("wycheproof/hmac_sha256_test.json") == nil, "no shared vectors"))
  func `HMAC-SHA256 agrees with every Wycheproof vector`() throws {
    let document = try JSONDocument(
      parsing: try #require(sharedVectors("wycheproof/hmac_sha256_test.json")))
    var count = 0
    for group in try document.root.array("testGroups") {
      let tagBytes = Int(try group.int64("tagSize")) / 8
      for test in try group.array("tests") {
        let tag = Digest.hmacSHA256(try hex(test.string("msg")), key: try hex(test.string("key")))
        let agrees = Digest.areEqual(Array(tag.prefix(tagBytes)), try hex(test.string("tag")))
        let isValid = try test.string("result") == "valid"
        #expect(agrees == isValid, "\(test)")
        let signer = MessageSigner(key: try hex(test.string("key")))
        // Twice: the key's state must survive a message.
        #expect(signer.tag(try hex(test.string("msg"))) == tag, "\(test)")
        #expect(signer.tag(try hex(test.string("msg"))) == tag, "\(test)")
        count += 1
      }
    }
    #expect(count > 50)
  }

  /// The example of Binance's documentation (rest-api.md, "SIGNED Endpoint Examples").
  @Test func `EX-14 a request is signed as Binance's own example is`() {
    let signer = MessageSigner(
      key: Array("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j".utf8))
    let query =
      "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
      + "&timestamp=1499827319559"
    var message = Array(query.utf8)
    signer.sign(&message, "&signature=")
    #expect(
      String(decoding: message, as: UTF8.self) == query
        + "&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71")
    #expect(
      signer.tag([])
        == Digest.hmacSHA256(
          [],
          key: Array(
            "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j".utf8)))
  }

  @Test func `SHA-256 of abc is that of FIPS 180-4`() {
    #expect(
      Hexadecimal.encode(Digest.sha256(Array("abc".utf8)))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      Hexadecimal.encode(Digest.hmacSHA256([], key: []))
        == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
  }

  @Test func `a signing key survives PEM, and its signatures are those of RFC 8032`() throws {
    let key = try SigningKey.generate()
    let again = try SigningKey(pem: key.pem)
    let message = Array("order".utf8)
    #expect(again.publicKey == key.publicKey)
    #expect(key.publicKey.verify(again.sign(message), of: message))
    #expect(!key.publicKey.verify(again.sign(message), of: message + [0]))

    // RFC 8032, section 7.1, test 2.
    let known = try SigningKey(
      raw: hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    #expect(
      Hexadecimal.encode(known.sign([0x72]))
        == "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
  }

  @Test func `a password's hash is checked, and other strings are not hashes`() {
    let hash = PasswordHash.make("correct horse")
    #expect(hash.hasPrefix("$scrypt$ln=15,r=8,p=1$"))
    #expect(PasswordHash.verify("correct horse", against: hash))
    #expect(!PasswordHash.verify("correct horsf", against: hash))
    for wrong in [
      "", "$scrypt$", "plain", "$scrypt$ln=99,r=8,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA",
      "$scrypt$ln=1,r=8,p=1$AAAA$AAAA", "$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA", hash + "=",
    ] {
      #expect(!PasswordHash.verify("", against: wrong))
    }
  }

  @Test func `scrypt is that of RFC 7914`() {
    // Section 12: P = "pleaseletmein", S = "SodiumChloride", N = 16384, r = 8, p = 1.
    let salt = Base64.standard.encode(Array("SodiumChloride".utf8)).filter { $0 != "=" }
    let key = hex(
      "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        + "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")
    let text = Base64.standard.encode(key).filter { $0 != "=" }
    #expect(PasswordHash.verify("pleaseletmein", against: "$scrypt$ln=14,r=8,p=1$\(salt)$\(text)"))
  }
}

func hex(_ text: String) -> [UInt8] { Hexadecimal.decode(text) ?? [] }
