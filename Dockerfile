# syntax=docker/dockerfile:1

# The image of every role. It is built without the feature `simulator`: the check of WhatsApp's certificates is in it,
# the simulator is not.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --locked --release --package kurir --bin kurir \
    && install -D target/release/kurir /out/kurir

FROM debian:bookworm-slim
# tini passes signals on and reaps; busybox has the wget of the health check.
RUN apt-get update \
    && apt-get install -y --no-install-recommends busybox ca-certificates tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin kurir
COPY --from=build /out/kurir /usr/local/bin/kurir
COPY config/cluster.toml /etc/kurir/cluster.toml
COPY LICENSE LICENSE-MIT LICENSE-APACHE /usr/share/doc/kurir/
USER 10001
EXPOSE 8080
# Of the gateway. The other roles listen at metrics.listen only; whoever runs them replaces this, as docker-compose.yml does.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["busybox", "wget", "-q", "-T", "2", "-O", "/dev/null", "http://127.0.0.1:8080/healthz"]
# A worker's sessions stop within 20 s of the signal (worker.stop_deadline), its last events within as much again: give it
# more than 40 s before killing it.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "kurir"]
CMD ["gateway", "--config", "/etc/kurir/cluster.toml"]
