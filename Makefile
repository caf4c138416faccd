# Tidemark. `make help` lists the targets.

SHELL      := /bin/bash
CACHE      ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tidemark
TOOLS      := $(CACHE)/bin
VERSITYGW  := github.com/versity/versitygw/cmd/versitygw@v1.8.0
MINIO      := github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
SERVERS    := $(CACHE)/servers
GOLANGCI   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
PROTOC_GEN := google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
BENCHSTAT  := golang.org/x/perf/cmd/benchstat@latest
TAGS       := grocksdb_clean_link
PYTHON     := $(CACHE)/python
WRITTEN    := $(CACHE)/written
SEED       ?= 1
N          ?= 50
# The packages below the wiring that need no cgo.
PURE       := ./engine/... ./rocks/table ./rocks/column ./incremental/... ./upload/... ./coordinator/...

export PATH := $(TOOLS):$(PATH)
export TIDEMARK_REQUIRE_S3 := 1
# A release build of RocksDB (make rocksdb) is used where it lies in the cache. ROCKSDB=DIR names another.
ROCKSDB    ?= $(CACHE)/rocksdb-$(shell .ci/binding version)
ifneq ($(wildcard $(ROCKSDB)/librocksdb.a),)
export CGO_LDFLAGS := -L$(ROCKSDB)
export CGO_CPPFLAGS := -I$(ROCKSDB)/include
endif

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-zA-Z_-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## Install the Debian packages and Go modules that the build needs
	@.ci/deps
	@.ci/binding
	@go mod download

.PHONY: build
build: deps ## Build bin/tidemark
	go build -tags $(TAGS) -o bin/tidemark ./cmd/tidemark

.PHONY: run
run: build ## Run the main job on real flights, with incremental checkpoints in ./data
	rm -rf data/run
	bin/tidemark run flights --input testdata/flights/flights-20k.jsonl --output data/run/out \
		--checkpoint-store file://$(CURDIR)/data/run/checkpoints --interval 1s --parallelism 4 --rate-limit 4000
	@echo; echo "airports by mean delay ($(CURDIR)/data/run/out/airports):"; cat data/run/out/airports/part-* | head -5
	@echo; bin/tidemark checkpoints ls file://$(CURDIR)/data/run/checkpoints/flights

$(TOOLS)/versitygw:
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install $(VERSITYGW)

$(TOOLS)/golangci-lint:
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install $(GOLANGCI)

$(TOOLS)/benchstat:
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install $(BENCHSTAT)

$(TOOLS)/protoc-gen-go:
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install $(PROTOC_GEN)

.PHONY: proto
proto: $(TOOLS)/protoc-gen-go ## Generate incremental/format from its schema
	@.ci/deps protobuf-compiler
	cd incremental/format && protoc --go_out=. --go_opt=paths=source_relative *.proto

.PHONY: tools
tools: $(TOOLS)/versitygw $(TOOLS)/golangci-lint ## Install the S3 server, the linter and what else the tests use
	@.ci/deps strace rocksdb-tools

.PHONY: lint
lint: deps tools ## gofmt, vet and the lint rules, walls between the packages included
	@bad=$$(gofmt -l .); if [ -n "$$bad" ]; then echo "not formatted (gofmt -w):"; echo "$$bad"; exit 1; fi
	go vet -tags $(TAGS) ./...
	golangci-lint run --build-tags $(TAGS) ./...

.PHONY: test-nocgo
test-nocgo: ## Test everything but rocks itself and its wiring without cgo
	TIDEMARK_WRITTEN=$$(ls -d $(WRITTEN) 2>/dev/null) CGO_ENABLED=0 go test $(PURE) ./cmd/api ./cmd/metrics ./cmd/jobs ./bench/measure

.PHONY: test-race
test-race: ## Test under the race detector where goroutines meet
	go test -race -short -tags $(TAGS),invariants $(PURE) ./rocks/...

# Parquet files that pyarrow and DuckDB write, other ones each time, for the tests of the sources.
.PHONY: written
written: ## Write Parquet files with pyarrow and DuckDB, where pip can install them
	@.ci/python $(PYTHON) && rm -rf $(WRITTEN) && mkdir -p $(WRITTEN) && cd $(WRITTEN) && \
		SEED=$$RANDOM ROWS=600 $(PYTHON)/bin/python $(CURDIR)/testdata/parquet/make.py || \
		{ rm -rf $(WRITTEN); echo "SKIPPED: no fresh files of pyarrow and DuckDB: they could not be installed or run"; }

.PHONY: corpora
corpora: ## Read parquet-testing, csv-spectrum and JSONTestSuite: make corpora DIR=<folder that has them>
	@test -d "$(DIR)" || { echo "corpora: DIR=$(DIR) is no folder: make corpora DIR=<folder with parquet-testing, csv-spectrum, JSONTestSuite>"; exit 1; }
	@.ci/python $(PYTHON)
	rm -rf $(CACHE)/expected && $(PYTHON)/bin/python .ci/corpora.py $(abspath $(DIR)) $(CACHE)/expected
	go test -count=1 -v -run 'TestCorpora|TestCSVSpectrum|TestJSONTestSuite' ./engine/source ./engine/source/parquet \
		-args -corpora $(abspath $(DIR)) -expected $(CACHE)/expected

.PHONY: test
test: build lint written test-nocgo test-race ## All tests: build, lint, unit, race, walls, end to end on a real S3 server
	go test -tags $(TAGS) -timeout 20m ./rocks/... ./bench/... ./cmd/... .

.PHONY: servers
servers: deps tools ## Install other S3 servers (MinIO, SeaweedFS, moto, S3Mock, S3Proxy, rclone, s3rver) and try the store and a killed job on each
	.ci/servers $(SERVERS) $(MINIO)
	TIDEMARK_S3_SERVERS=$(SERVERS) go test -tags $(TAGS) -count=1 -timeout 60m -v -run 'Servers$$' ./upload/s3store ./cmd

.PHONY: explore
explore: ## Explore the coordinator's decisions within long bounds, too: some minutes
	go test -run Explore -v -timeout 60m ./coordinator -long

.PHONY: scale
scale: ## gc and explain on 1,000 checkpoints and 100,000 objects: time, memory, requests
	go test -count=1 -run 'TestScale$$' -v ./coordinator

.PHONY: planted
planted: deps ## Plant every bug of testdata/planted; the test that each names must fail
	go test -tags $(TAGS) -count 1 -v -timeout 120m -run Planted ./bench/planted -all

.PHONY: mutants
mutants: N := 300
mutants: deps ## Run N random mutants of the decision code; the tests of its package must fail: make mutants N=300 SEED=1
	go test -tags $(TAGS) -count 1 -v -timeout 120m -run Mutants ./bench/planted -mutants $(N) -seed $(SEED)

.PHONY: crash
crash: build tools ## Kill the jobs with -9 N times at random moments and compare: make crash N=50 SEED=1 FLAGS=--gc
	bin/tidemark bench crash --n $(N) --seed $(SEED) $(FLAGS)

.PHONY: soak
soak: build tools ## The whole fault matrix: every operation of the store, every file call
	SOAK=1 go test -tags $(TAGS) -timeout 60m -v ./bench/faults

.PHONY: bench
bench: build tools ## Run the benchmarks and write bench-report.md
	bin/tidemark bench suite --report bench-report.md

.PHONY: bench-compare
bench-compare: deps $(TOOLS)/benchstat ## Compare the Go benchmarks with another commit: make bench-compare REF=<commit>
	.ci/bench-compare $(REF)

.PHONY: rocksdb
rocksdb: deps ## Build a release library of RocksDB from Debian's source package, outside the work tree; used from then on
	.ci/rocksdb $(ROCKSDB)

.PHONY: debian13
debian13: build ## Test in a Debian 13 system (RocksDB 9.10) that is made in the cache: as root; takes minutes
	.ci/debian13

.PHONY: image
image: ## Build the container image
	docker build -t tidemark .

.PHONY: clean
clean: ## Remove what was built and what make run wrote
	rm -rf bin data
