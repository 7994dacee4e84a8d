package import ServiceKit

package struct Config: ServiceSettings {
  let callTimeout: Duration
  let bodyBytesMax: Int

  package init(_ settings: SettingsReader) {
    callTimeout = settings.duration(
      "call_timeout", in: .milliseconds(10)...(.seconds(300)), default: .seconds(10),
      "A call that takes longer is answered with 504.")
    bodyBytesMax = settings.int(
      "body_bytes_max", in: 1_024...1_048_576, default: 1_048_576, unit: "bytes",
      "A larger body is answered with 413.")
  }
}
