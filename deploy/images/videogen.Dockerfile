# Videogen: one scene becomes one clip, by the built-in renderer or by video models.
#
# TORCH is none, cpu or cuda: cuda adds what films with video models on NVIDIA's GPUs
# (CUDA's libraries come with torch, the driver from the node). TORCH_INDEX names the index that
# torch comes from, where pip's own has another build.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /source
COPY deploy/images/install.sh deploy/images/
COPY deploy/images/locks/build.txt deploy/images/locks/videogen*.txt deploy/images/locks/
ARG TORCH=none
ARG TORCH_INDEX=
RUN --mount=type=cache,target=/root/.cache/pip \
    if [ "$TORCH" != none ]; then models=videogen-models; fi; \
    deploy/images/install.sh dependencies videogen $models
COPY protos protos
COPY kit kit
COPY services/videogen services/videogen
RUN deploy/images/install.sh parts services/videogen

FROM ${BASE}
ARG TORCH=none
RUN --mount=type=bind,source=deploy/images/prepare.sh,target=/prepare.sh \
    if [ "$TORCH" != none ]; then compiler=--compiler; fi; \
    sh /prepare.sh $compiler libegl1 libgl1 libgl1-mesa-dri
COPY --from=build /opt/soundsight /opt/soundsight
COPY LICENSE /usr/share/doc/soundsight/
ENV PATH=/opt/soundsight/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SOUNDSIGHT_LISTEN=0.0.0.0:7003 \
    SOUNDSIGHT_METRICS_LISTEN=0.0.0.0:9100 \
    SOUNDSIGHT_LOG_FORMAT=json \
    SOUNDSIGHT_ARTIFACTS_URL=file:///var/lib/soundsight/artifacts \
    HF_HOME=/models/hub \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics
LABEL org.opencontainers.image.title="soundsight-videogen" \
      org.opencontainers.image.description="Soundsight's videogen: films one scene into one clip" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-3.0-or-later"
EXPOSE 7003 9100
USER 10001:10001
WORKDIR /var/lib/soundsight
ENTRYPOINT ["soundsight-videogen"]
