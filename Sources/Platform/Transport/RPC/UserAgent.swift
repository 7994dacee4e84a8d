/// What clients of this program call themselves, in the form that gRPC over HTTP/2 recommends:
/// `grpc-`, the language and its variant, the version of the program.
package let userAgent: StaticString = "grpc-swift-shrivenquant/0.1.0"
