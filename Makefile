# ShrivenQuant: every command a person needs. `make help` lists them from their own comments.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

STATE ?= var
TIME ?= 60
ROUNDS ?= 2
KILLS ?= 5
BENCH ?=
RELEASE := .build/release/shrivenquant
VENV := .build/venv
TEST_ENVIRONMENT = PYTHON=$(CURDIR)/$(VENV)/bin/python3 SHRIVENQUANT=$(CURDIR)/$(RELEASE)
SWIFT_RELEASE := swift build -c release --static-swift-stdlib

RUN_PACKAGES := libnghttp2-dev libssl-dev libprotobuf-c-dev libpq-dev libsimdjson-dev libwslay-dev \
  libcurl4-openssl-dev libtomlplusplus-dev zlib1g-dev libzstd-dev pkg-config postgresql-15
TEST_PACKAGES := nghttp2-client nghttp2-server prometheus python3-venv curl iproute2 openssl zstd
PROTO_PACKAGES := protobuf-compiler protobuf-c-compiler libprotobuf-dev
PYTHON_PACKAGES := grpcio==1.85.1 grpcio-reflection==1.85.1 grpcio-health-checking==1.85.1 protobuf==7.36.2 websockets==17.4

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

swift-present:
	@command -v swift >/dev/null || { echo "Swift 6.2 or newer is missing: https://www.swift.org/install/linux (Debian 12); or use docker/, which needs none." >&2; exit 1; }

deps: swift-present ## install the Debian packages that building and running need
	@docker/install-packages $(RUN_PACKAGES)

deps-test: deps
	@docker/install-packages $(TEST_PACKAGES)
	@test -f $(VENV)/ready || { echo "Installing stock gRPC clients for Python into $(VENV)"; \
	  python3 -m venv $(VENV) && $(VENV)/bin/pip install -q --disable-pip-version-check $(PYTHON_PACKAGES) && touch $(VENV)/ready; }

build: deps ## build the release
	$(SWIFT_RELEASE) --product shrivenquant

up: build ## start the whole mesh on the simulator; it stays until make down (STATE=var)
	$(RELEASE) up --state $(STATE) --detach

down: ## stop the mesh
	$(RELEASE) down --state $(STATE)

test: deps-test ## run every test; the release is built for the journeys
	$(SWIFT_RELEASE) --product shrivenquant
	swift build --build-tests
	$(TEST_ENVIRONMENT) swift test --skip-build --parallel --experimental-maximum-parallelization-width 4 --skip JourneyTests
	$(TEST_ENVIRONMENT) swift test --skip-build --no-parallel --filter JourneyTests

test-peers: deps-test ## what takes longer: rounds of chaos over real processes (ROUNDS=2)
	$(SWIFT_RELEASE) --product shrivenquant
	$(VENV)/bin/python3 Tests/Peers/chaos.py --program $(CURDIR)/$(RELEASE) --ports $(CURDIR)/ports.toml --rounds $(ROUNDS) --orders 2000

kill-switch: deps-test ## how fast the kill switch is under load with its neighbours dead (KILLS=5 of each case)
	$(SWIFT_RELEASE) --product shrivenquant
	$(VENV)/bin/python3 Tests/Peers/kill_switch.py --program $(CURDIR)/$(RELEASE) --ports $(CURDIR)/ports.toml --rounds $(KILLS)

check: deps-test ## format, the rules of the house, generated code up to date
	swift format lint --strict --recursive --parallel $$(git ls-files '*.swift' ':!Sources/Contracts/Generated')
	$(MAKE) --no-print-directory protos-check
	bash -n .ci/run docker/install-packages

format: swift-present ## rewrite every Swift file in the house format
	swift format --in-place --recursive --parallel $$(git ls-files '*.swift' ':!Sources/Contracts/Generated')

fuzz: deps ## feed damaged input to every parser for TIME seconds (TIME=60)
	@ROOMS=Fuzz swift build --product Fuzz 2>&1 | tail -1
	@.build/debug/Fuzz --time $(TIME)

storm: deps ## the whole money path on a simulated clock, with faults, for TIME seconds (TIME=60)
	$(SWIFT_RELEASE) --product shrivenquant
	$(RELEASE) storm --seed $$(date +%s) --minutes 10 --time $(TIME)

storm-mutants: deps ## break each rule on purpose, and say how many seeds find it
	MUTANTS=1 ROOMS=StormRunner swift build -c release --scratch-path .build/mutants --product StormRunner
	.build/mutants/release/StormRunner --mutants --minutes 2 --faults crashes,power,lost,silence,streams,fills,doubled

bench: deps-test ## run the benchmarks, one JSON line each (BENCH="risk.gate codec")
	@docker/install-packages libgrpc++-dev protobuf-compiler-grpc g++ $(PROTO_PACKAGES) >&2
	@$(SWIFT_RELEASE) --product shrivenquant >&2
	@$(SWIFT_RELEASE) --product Benchmarks >&2
	@$(dir $(RELEASE))Benchmarks $(BENCH)

PROTO_FILES = $(shell cd Protos && find google grpc shrivenquant -name '*.proto' | sort)
WELL_KNOWN := $(foreach f,any duration empty field_mask timestamp wrappers descriptor,google/protobuf/$(f).proto)
PLUGIN := .build/debug/protoc-gen-shrivenquant

protos-generate: swift-present
	@docker/install-packages $(PROTO_PACKAGES)
	@ROOMS=protoc-gen-shrivenquant swift build --product protoc-gen-shrivenquant 2>&1 | tail -1
	@rm -rf .build/protos && mkdir -p .build/protos/swift .build/protos/c
	@cd Protos && protoc -I. -I/usr/include --plugin=../$(PLUGIN) --shrivenquant_out=../.build/protos/swift $(PROTO_FILES) $(WELL_KNOWN)
	@cd Protos && protoc -I. -I/usr/include --plugin=../$(PLUGIN) --shrivenquant_out=registry:../.build/protos/c $(PROTO_FILES) $(WELL_KNOWN)
	@cd Protos && protoc-c -I. -I/usr/include --c_out=../.build/protos/c $(PROTO_FILES) $(WELL_KNOWN)

protos: protos-generate ## generate Swift and C from Protos/
	rm -rf Sources/Contracts/Generated Sources/CLibraries/CContracts/generated
	cp -r .build/protos/swift Sources/Contracts/Generated
	cp -r .build/protos/c Sources/CLibraries/CContracts/generated

protos-check: protos-generate
	@diff -rq .build/protos/swift Sources/Contracts/Generated && diff -rq .build/protos/c Sources/CLibraries/CContracts/generated \
	  || { echo "The generated code is stale: run make protos and commit the result." >&2; exit 1; }

clean: ## remove what was built
	rm -rf .build

.PHONY: help swift-present deps deps-test build up down test test-peers kill-switch storm storm-mutants fuzz check format bench protos protos-generate protos-check clean
