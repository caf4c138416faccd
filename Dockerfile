# syntax=docker/dockerfile:1
# Tidemark's binary and nothing else, on a release build of RocksDB.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY .ci/deps .ci/rocksdb .ci/
RUN .ci/deps
# A layer of its own: RocksDB is built again only when its recipe changes.
RUN .ci/rocksdb /opt/rocksdb
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Fully static: no library is left to install in the final image.
RUN .ci/binding && CGO_LDFLAGS="-L/opt/rocksdb" CGO_CPPFLAGS="-I/opt/rocksdb/include" go build -tags grocksdb_clean_link,tidemark_static,netgo,osusergo \
      -ldflags '-s -w -linkmode external -extldflags "-static"' -o /out/tidemark ./cmd/tidemark && mkdir /out/home

# The binary, the certificates that S3 needs, and a place for local state.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/tidemark /tidemark
COPY --from=build --chown=65532:65532 /out/home /home/tidemark
COPY --from=build --chown=65532:65532 --chmod=1777 /out/home /tmp
USER 65532:65532
WORKDIR /home/tidemark
ENTRYPOINT ["/tidemark"]
CMD ["help"]
