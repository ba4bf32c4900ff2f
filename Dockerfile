FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN pip install --require-hashes -r requirements-build.lock \
 && python -m venv /opt/exporter \
 && /opt/exporter/bin/pip install --require-hashes -r requirements.lock
COPY . .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/exporter/bin/pip install --no-deps /wheels/*.whl

FROM python:3.13-slim
LABEL org.opencontainers.image.title="ai-workflow-exporter" \
      org.opencontainers.image.description="See what AI workflows do in production: runs, model calls, cost, on Grafana." \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/exporter /opt/exporter
ENV PATH=/opt/exporter/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can see it is not root.
USER 65532:65532
EXPOSE 9849
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9849/-/healthy', timeout=4)"]
ENTRYPOINT ["ai-workflow-exporter"]
CMD ["run"]
