# The command line, for renders on a suite elsewhere: `soundsight --gateway HOST:PORT ...`.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /source
COPY deploy/images/install.sh deploy/images/
COPY deploy/images/locks/build.txt deploy/images/locks/cli.txt deploy/images/locks/
RUN --mount=type=cache,target=/root/.cache/pip \
    deploy/images/install.sh dependencies cli
COPY protos protos
COPY kit kit
COPY client client
COPY cli cli
RUN deploy/images/install.sh parts cli
COPY examples/make_example_song.py examples/
COPY examples/songsmith examples/songsmith
RUN /opt/soundsight/bin/python examples/make_example_song.py

FROM ${BASE}
RUN --mount=type=bind,source=deploy/images/prepare.sh,target=/prepare.sh \
    sh /prepare.sh
COPY --from=build /opt/soundsight /opt/soundsight
COPY LICENSE /usr/share/doc/soundsight/
# A song for `helm test`, made here: it is nobody's but the suite's own.
COPY --from=build /source/examples/first-light.flac /usr/share/soundsight/
ENV PATH=/opt/soundsight/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="soundsight-cli" \
      org.opencontainers.image.description="The command line of Soundsight" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-3.0-or-later"
USER 10001:10001
WORKDIR /var/lib/soundsight
ENTRYPOINT ["soundsight"]
