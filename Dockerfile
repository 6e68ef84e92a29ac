# One image for all of logmill: `serve` (the default), `api`, `worker`, and the other commands.
#
# Works with a read-only root file system: it writes to DATA_DIR (/data) alone, and there only where
# queue or store are embedded.

FROM debian:trixie-slim AS build
WORKDIR /logmill

# What a build needs is listed in tools/bootstrap, and there alone.
COPY tools/bootstrap tools/
RUN apt-get update -q && \
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends make && \
    tools/bootstrap build
COPY . .
RUN make && make install PREFIX=/usr DESTDIR=/out && strip /out/usr/bin/logmill

# The Debian packages of the libraries that the program was linked with.
RUN ldd /out/usr/bin/logmill | awk '$2 == "=>" { print $3 }' | xargs realpath | xargs dpkg -S | \
    cut -d : -f 1 | sort -u >/out/packages

# By them the certificate of a database in Amazon RDS is verified.
RUN tools/rds-certificates >/out/rds.pem

FROM debian:trixie-slim

# Set by who builds: --build-arg REVISION=$(git rev-parse HEAD)
ARG REVISION=unknown
LABEL org.opencontainers.image.title="logmill" \
      org.opencontainers.image.description="Takes logs over HTTP, makes them durable before it answers, stores them once, and finds them again" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="docker.io/library/debian:trixie-slim"

COPY --from=build /out/packages /tmp/
RUN apt-get update -q && \
    xargs env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends ca-certificates </tmp/packages && \
    rm -rf /tmp/packages /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* \
        /usr/share/doc/* /usr/share/man/* /usr/share/locale/* && \
    groupadd --gid 10001 logmill && \
    useradd --uid 10001 --gid 10001 --home-dir /home/logmill --no-create-home \
        --shell /usr/sbin/nologin logmill && \
    install -d -o logmill -g logmill -m 700 /data
COPY --from=build /out/usr/bin/logmill /usr/bin/
COPY --from=build /out/rds.pem /usr/share/logmill/

# The bill of materials, of what is in this image and nothing else.
COPY --from=build /logmill/tools/sbom /usr/share/logmill/
RUN cd /usr/share/logmill && ./sbom /usr/bin/logmill "$REVISION" >sbom.spdx.json && rm sbom

ENV HOST=0.0.0.0 PORT=8000 METRICS_PORT=8001 DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["logmill", "health"]
ENTRYPOINT ["logmill"]
CMD ["serve"]
