// The peer of EchoServer.swift: gRPC C++ with its callback API, as its authors recommend for speed.
// Says "ready PORT" and ends with its input.
#include <cstdio>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include "echo.grpc.pb.h"

namespace {

using google::protobuf::Int64Value;
using google::protobuf::StringValue;

class Stream final : public grpc::ServerWriteReactor<StringValue> {
 public:
  explicit Stream(long count) : left_(count) {
    message_.set_value("thirty characters of a message");
    Next();
  }

  void OnWriteDone(bool ok) override {
    if (ok) {
      Next();
    } else {
      Finish(grpc::Status::CANCELLED);
    }
  }

  void OnDone() override { delete this; }

 private:
  void Next() {
    if (left_-- > 0) {
      StartWrite(&message_);
    } else {
      Finish(grpc::Status::OK);
    }
  }

  long left_;
  StringValue message_;
};

class Echo final : public shrivenquant::benchmarks::v1::Echo::CallbackService {
  grpc::ServerUnaryReactor *Unary(grpc::CallbackServerContext *context, const StringValue *request,
                                  StringValue *response) override {
    response->set_value(request->value());
    auto *reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerWriteReactor<StringValue> *Stream(grpc::CallbackServerContext *,
                                                const Int64Value *request) override {
    return new ::Stream(request->value());
  }
};

}  // namespace

int main() {
  Echo service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  auto server = builder.BuildAndStart();
  if (!server) return 1;
  std::printf("ready %d\n", port);
  std::fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  server->Shutdown();
  return 0;
}
