# The analyzer: a song becomes what is in it.
#
# ESSENTIA empty leaves essentia (AGPL-3.0) out: the analyzer serves, and says that it is reduced.
# TORCH is none, cpu or cuda: cuda adds what hears with models on NVIDIA's GPUs
# (CUDA's libraries come with torch, the driver from the node). TORCH_INDEX names the index that
# torch comes from, where pip's own has another build.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /source
COPY deploy/images/install.sh deploy/images/
COPY deploy/images/locks/build.txt deploy/images/locks/analyzer*.txt deploy/images/locks/
ARG ESSENTIA=1
ARG TORCH=none
ARG TORCH_INDEX=
RUN --mount=type=cache,target=/root/.cache/pip \
    if [ "$TORCH" != none ]; then models=analyzer-models; fi; \
    deploy/images/install.sh dependencies analyzer${ESSENTIA:+-essentia} $models
COPY protos protos
COPY kit kit
COPY services/analyzer services/analyzer
RUN deploy/images/install.sh parts services/analyzer

FROM ${BASE}
ARG ESSENTIA=1
RUN --mount=type=bind,source=deploy/images/prepare.sh,target=/prepare.sh \
    sh /prepare.sh
COPY --from=build /opt/soundsight /opt/soundsight
COPY LICENSE /usr/share/doc/soundsight/
ENV PATH=/opt/soundsight/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SOUNDSIGHT_LISTEN=0.0.0.0:7001 \
    SOUNDSIGHT_METRICS_LISTEN=0.0.0.0:9100 \
    SOUNDSIGHT_LOG_FORMAT=json \
    SOUNDSIGHT_ARTIFACTS_URL=file:///var/lib/soundsight/artifacts \
    HF_HOME=/models/hub \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
LABEL org.opencontainers.image.title="soundsight-analyzer" \
      org.opencontainers.image.description="Soundsight's analyzer: listens to a song and says what is in it" \
      org.opencontainers.image.licenses="Apache-2.0${ESSENTIA:+ AND AGPL-3.0-only} AND GPL-3.0-or-later"
EXPOSE 7001 9100
USER 10001:10001
WORKDIR /var/lib/soundsight
ENTRYPOINT ["soundsight-analyzer"]
