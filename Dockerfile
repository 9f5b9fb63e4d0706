# syntax=docker/dockerfile:1
# creditd and nothing else: no shell, no package manager, no user but a number.
#
#   docker build --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" -t creditd .
#
# The same sources, lock file and base images make the same binary: paths are remapped, and nothing
# reads the clock. A release pins the two bases by digest on the command line as well:
#   --build-arg BUILD=rust:1.95-slim-bookworm@sha256:… --build-arg BASE=gcr.io/…@sha256:…
ARG BUILD=docker.io/library/rust:1.95-slim-bookworm
# The C library and libgcc_s, which the binary links to (ldd says no more), and CA certificates.
ARG BASE=gcr.io/distroless/cc-debian12:nonroot

# hadolint ignore=DL3006
FROM ${BUILD} AS build
WORKDIR /src
ARG SOURCE_DATE_EPOCH=0
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} \
    CARGO_INCREMENTAL=0 \
    CARGO_TERM_COLOR=never \
    RUSTFLAGS="--remap-path-prefix=/src=. --remap-path-prefix=/usr/local/cargo=cargo --remap-path-prefix=/usr/local/rustup=rustup"

# The dependencies first: this layer is built again only when they change. The build script writes
# the client and the server that `proto` describes, and runs again with the real sources.
# (rust-toolchain.toml stays outside: its channel would fetch another compiler than the image's.)
COPY Cargo.toml Cargo.lock build.rs ./
COPY proto proto
RUN mkdir src \
    && echo 'fn main() {}' >src/main.rs \
    && touch src/lib.rs \
    && cargo build --locked --release --bin creditd \
    && rm -r src

COPY migrations migrations
COPY data data
COPY src src
# The empty sources above may be newer than those copied: what they made must not stand for these.
RUN find src build.rs -exec touch {} + \
    && cargo build --locked --release --bin creditd \
    && strip --strip-debug target/release/creditd \
    && touch -d "@${SOURCE_DATE_EPOCH}" target/release/creditd

# hadolint ignore=DL3006
FROM ${BASE}
ARG SOURCE_DATE_EPOCH=0
LABEL org.opencontainers.image.title="creditd" \
      org.opencontainers.image.description="Credit grants over gRPC on PostgreSQL: exact, fast, explainable" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /src/target/release/creditd /usr/local/bin/creditd
COPY LICENSE /usr/share/doc/creditd/LICENSE
# distroless' nonroot, by number: Kubernetes cannot prove of a name that it is not root.
USER 65532:65532
# Not a loopback address, so that callers need keys: `creditd keys create`.
ENV CREDITD_LISTEN=0.0.0.0:50051 \
    CREDITD_HEALTH_LISTEN=0.0.0.0:50052 \
    CREDITD_METRICS_LISTEN=0.0.0.0:9464 \
    CREDITD_NO_FETCH=true
EXPOSE 50051 50052 9464
# SIGTERM drains; Docker's ten seconds until SIGKILL are less than --grace: `docker stop -t 30`.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/creditd"]
CMD ["serve"]
