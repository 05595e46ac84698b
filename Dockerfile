# The gateway. `--build-arg EXTRA=gpu` makes the one for CUDA 13, which brings its CUDA libraries from its lock.
ARG EXTRA=cpu

FROM debian:trixie-slim AS build
ARG EXTRA
# hadolint ignore=DL3008 # Debian keeps one version of a package at a time
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3-venv \
    && python3 -m venv /opt/samestyle
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements/cpu.txt requirements/gpu.txt requirements/
RUN /opt/samestyle/bin/pip install --require-hashes -r "requirements/$EXTRA.txt"
COPY pyproject.toml README.md LICENSE ./
COPY catalogue catalogue
COPY models models
COPY index index
COPY bench bench
COPY service service
RUN /opt/samestyle/bin/pip install --no-deps --no-build-isolation . \
    && /opt/samestyle/bin/pip uninstall --yes hatchling editables pip

FROM debian:trixie-slim
ARG EXTRA
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="samestyle" \
      org.opencontainers.image.description="Same-style and similar-product retrieval for e-commerce ($EXTRA)" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="debian:trixie-slim"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent samestyle \
    && install --directory --owner=samestyle --group=samestyle /data
COPY --from=build /opt/samestyle /opt/samestyle
# All that is written goes to /data, and for a moment to /tmp: the root file system may be read-only.
ENV PATH=/opt/samestyle/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SAMESTYLE_DATA=/data \
    SAMESTYLE_HOST=0.0.0.0 \
    SAMESTYLE_KEYS_FILE=/data/keys.json
WORKDIR /data
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["samestyle", "healthcheck"]
ENTRYPOINT ["samestyle"]
CMD ["serve"]
