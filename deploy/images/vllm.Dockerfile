# vLLM, which serves language models to the scene writer and the analyzer. Nothing of the suite is in it.
#
# BUILD is cuda, for NVIDIA's GPUs (10 GB), or cpu. TORCH_INDEX names the index that the CPU build's
# torch comes from, where pip's own has another build.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
ARG BUILD=cuda
ARG TORCH_INDEX=
WORKDIR /opt/soundsight
COPY scripts/setup-vllm.sh scripts/
COPY deploy/vllm/cpu.txt deploy/vllm/cuda.txt deploy/vllm/
RUN --mount=type=cache,target=/root/.cache/pip \
    scripts/setup-vllm.sh "$BUILD"
COPY deploy/images/install.sh deploy/images/
COPY deploy/images/locks/build.txt deploy/images/locks/
RUN --mount=type=cache,target=/root/.cache/pip \
    deploy/images/install.sh bill .venv-vllm

FROM ${BASE}
RUN --mount=type=bind,source=deploy/images/prepare.sh,target=/prepare.sh \
    sh /prepare.sh --compiler libnuma1
COPY --from=build /opt/soundsight/.venv-vllm /opt/soundsight/.venv-vllm
ENV PATH=/opt/soundsight/.venv-vllm/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/models/hub \
    VLLM_NO_USAGE_STATS=1 \
    DO_NOT_TRACK=1 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
LABEL org.opencontainers.image.title="soundsight-vllm" \
      org.opencontainers.image.description="vLLM in the version that Soundsight is tested with" \
      org.opencontainers.image.licenses="Apache-2.0"
EXPOSE 8000
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["vllm", "serve"]
