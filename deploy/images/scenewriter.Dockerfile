# The scene writer: what is heard in a song becomes a storyboard.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /source
COPY deploy/images/install.sh deploy/images/
COPY deploy/images/locks/build.txt deploy/images/locks/scenewriter.txt deploy/images/locks/
RUN --mount=type=cache,target=/root/.cache/pip \
    deploy/images/install.sh dependencies scenewriter
COPY protos protos
COPY kit kit
COPY services/scenewriter services/scenewriter
RUN deploy/images/install.sh parts services/scenewriter

FROM ${BASE}
RUN --mount=type=bind,source=deploy/images/prepare.sh,target=/prepare.sh \
    sh /prepare.sh
COPY --from=build /opt/soundsight /opt/soundsight
COPY LICENSE /usr/share/doc/soundsight/
ENV PATH=/opt/soundsight/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SOUNDSIGHT_LISTEN=0.0.0.0:7002 \
    SOUNDSIGHT_METRICS_LISTEN=0.0.0.0:9100 \
    SOUNDSIGHT_LOG_FORMAT=json \
    SOUNDSIGHT_ARTIFACTS_URL=file:///var/lib/soundsight/artifacts
LABEL org.opencontainers.image.title="soundsight-scenewriter" \
      org.opencontainers.image.description="Soundsight's scene writer: turns what is heard into a storyboard" \
      org.opencontainers.image.licenses="Apache-2.0"
EXPOSE 7002 9100
USER 10001:10001
WORKDIR /var/lib/soundsight
ENTRYPOINT ["soundsight-scenewriter"]
