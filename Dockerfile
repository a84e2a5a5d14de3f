# The server with all its plugins, for CPU and, with --build-arg GPU=1, for Intel GPUs. How to use it: docs/docker.md

ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build

WORKDIR /source
COPY core core
COPY plugins plugins
RUN python -m venv /opt/ovms \
    && /opt/ovms/bin/pip install --no-cache-dir \
        ./core \
        ./plugins/ovms_conformance \
        ./plugins/ovms_embeddings \
        ./plugins/ovms_imagegen \
        ./plugins/ovms_llm \
        ./plugins/ovms_openvino \
        ./plugins/ovms_rerank \
        ./plugins/ovms_sources \
        ./plugins/ovms_starter

FROM python:${PYTHON}-slim-bookworm

# The user-space half of Intel's GPU driver; the kernel's half is the host's.
ARG GPU=0
RUN if [ "$GPU" = 1 ]; then \
        apt-get update \
        && apt-get install --yes --no-install-recommends intel-opencl-icd \
        && rm -rf /var/lib/apt/lists/*; \
    fi

# A fixed number, so that the rights of mounted folders can be set for it; no password, no shell. Any other user that a
# container is given, by --user or by OpenShift, is in the group of root.
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin ovms \
    && install --directory --owner=ovms --group=root --mode=2775 /models /config

COPY --from=build /opt/ovms /opt/ovms

# Nobody outside the container reaches 127.0.0.1 in it.
ENV PATH=/opt/ovms/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OVMS_HOST=0.0.0.0 \
    OVMS_PORT=8000 \
    OVMS_MODEL_REPOSITORY=/models

USER ovms
# ovms.yaml is looked for in the working directory.
WORKDIR /config
VOLUME /models
EXPOSE 8000

# Alive, not ready: models may load for long, and /v2/health/ready says when they have.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['OVMS_PORT'] + '/health', timeout=4)"]

ENTRYPOINT ["ovms"]
CMD ["serve", "--starter"]
