# The gateway: the render API, durable renders, and who films what.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /source
COPY deploy/images/install.sh deploy/images/
COPY deploy/images/locks/build.txt deploy/images/locks/gateway.txt deploy/images/locks/
RUN --mount=type=cache,target=/root/.cache/pip \
    deploy/images/install.sh dependencies gateway
COPY protos protos
COPY kit kit
COPY gateway gateway
RUN deploy/images/install.sh parts gateway

FROM ${BASE}
RUN --mount=type=bind,source=deploy/images/prepare.sh,target=/prepare.sh \
    sh /prepare.sh
COPY --from=build /opt/soundsight /opt/soundsight
COPY LICENSE /usr/share/doc/soundsight/
ENV PATH=/opt/soundsight/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SOUNDSIGHT_LISTEN=0.0.0.0:7000 \
    SOUNDSIGHT_GATEWAY_HTTP_LISTEN=0.0.0.0:8080 \
    SOUNDSIGHT_METRICS_LISTEN=0.0.0.0:9100 \
    SOUNDSIGHT_LOG_FORMAT=json \
    SOUNDSIGHT_ARTIFACTS_URL=file:///var/lib/soundsight/artifacts \
    SOUNDSIGHT_GATEWAY_DATABASE_URL=sqlite:////var/lib/soundsight/gateway.sqlite
LABEL org.opencontainers.image.title="soundsight-gateway" \
      org.opencontainers.image.description="The render API of Soundsight: durable renders from song to video" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-3.0-or-later AND LGPL-3.0-only"
EXPOSE 7000 8080 9100
USER 10001:10001
WORKDIR /var/lib/soundsight
ENTRYPOINT ["soundsight-gateway"]
