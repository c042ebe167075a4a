# The image: a build stage with the compiler, a run stage with the program and nothing to
# fetch. `docker build -t modelpager .`

FROM rust:1.95.0-bookworm AS build
WORKDIR /build
ENV CARGO_TERM_COLOR=never CARGO_NET_RETRY=5

# The dependencies alone: this layer is built anew only when they change.
COPY Cargo.toml Cargo.lock build.rs ./
RUN mkdir -p src migrations \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -r src migrations

COPY migrations migrations
COPY templates templates
COPY src src
# The sources may be older than the empty ones above; cargo goes by the time.
RUN touch src/lib.rs src/main.rs build.rs \
    && cargo build --release --locked \
    && install -D target/release/modelpager /out/modelpager \
    && install -d -o 65532 -g 65532 /out/data


FROM debian:bookworm-20251229-slim
# The authorities that outgoing TLS trusts.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/modelpager /usr/local/bin/modelpager
COPY --from=build --chown=65532:65532 /out/data /data

# Nothing but /data is written: the root may be mounted read-only.
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 9095
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["modelpager", "healthcheck"]
ENTRYPOINT ["modelpager"]
# Without a configuration it listens on loopback only: mount a modelpager.yml and name it.
CMD ["serve"]
