// The peer of EchoServer.swift: gRPC C++ with its callback API, as its authors recommend for speed.
// Says "ready PORT" and ends with its input; as "echo unix:PATH" it listens there. As
// "echo call TARGET WARMUP CALLS" it is a client that calls one after another and prints the
// nanoseconds of each.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <grpcpp/grpcpp.h>
#include <string>
#include <unistd.h>
#include <vector>

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

int Call(const char *target, int warm_up, int calls) {
  auto channel = grpc::CreateChannel(target, grpc::InsecureChannelCredentials());
  auto stub = shrivenquant::benchmarks::v1::Echo::NewStub(channel);
  StringValue request;
  request.set_value("thirty characters of a message");
  std::vector<long> samples;
  samples.reserve(calls);
  for (int i = 0; i < warm_up + calls; i++) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    StringValue response;
    auto start = std::chrono::steady_clock::now();
    grpc::Status status = stub->Unary(&context, request, &response);
    auto spent = std::chrono::steady_clock::now() - start;
    if (!status.ok() || response.value() != request.value()) return 1;
    if (i >= warm_up) {
      samples.push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count());
    }
  }
  for (long sample : samples) std::printf("%ld\n", sample);
  return 0;
}

int Serve(const std::string &address) {
  Echo service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
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

}  // namespace

int main(int count, char **arguments) {
  if (count == 5 && std::strcmp(arguments[1], "call") == 0) {
    return Call(arguments[2], std::atoi(arguments[3]), std::atoi(arguments[4]));
  }
  return Serve(count > 1 ? arguments[1] : "127.0.0.1:0");
}
