# What docker/compose_check.sh starts where the images of others cannot be had: Debian's packages, laid out as those images are.
FROM debian:trixie-slim AS debian
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends busybox-static prometheus redis-server \
    && rm -rf /var/lib/apt/lists/*

FROM debian AS redis
RUN ln -s /usr/bin/redis-server /usr/local/bin/valkey-server && ln -s /usr/bin/redis-cli /usr/local/bin/valkey-cli
WORKDIR /data

FROM debian AS prometheus
RUN ln -s /bin/busybox /usr/local/bin/wget && install --directory --owner=65534 /prometheus
USER 65534
WORKDIR /prometheus
VOLUME /prometheus
ENTRYPOINT ["/usr/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
