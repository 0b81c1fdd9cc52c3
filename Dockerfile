# The whole of lawcheck; build in a fresh clone: docker build --tag lawcheck .  (docs/container.md)
FROM debian:bookworm-slim
RUN apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
      ca-certificates git make python3 python3-venv && \
    rm -rf /var/lib/apt/lists/*
COPY . /opt/lawcheck
WORKDIR /opt/lawcheck
RUN git config --system --add safe.directory /opt/lawcheck && \
    make setup
ENV PATH=/opt/lawcheck/.venv/bin:$PATH
ENTRYPOINT ["lawcheck"]
CMD ["--help"]
