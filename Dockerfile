# Headrace's image, and next to it the emulator's that docker-compose.yml uses.
# Everything is installed from hashed locks; the root file system may be read-only.

ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /src
COPY requirements/build.lock requirements/runtime.lock requirements/
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --requirement requirements/build.lock
RUN python -m venv /opt/headrace \
    && /opt/headrace/bin/pip install --no-cache-dir --require-hashes --requirement requirements/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY dispatch dispatch
COPY pollers pollers
COPY service service
RUN /opt/build/bin/pip wheel --no-cache-dir --no-index --no-build-isolation --no-deps --wheel-dir dist . \
    && /opt/headrace/bin/pip install --no-cache-dir --no-index --no-deps dist/*.whl

FROM python:${PYTHON_VERSION}-slim AS emulator
COPY requirements/ministack.lock requirements/
RUN python -m venv /opt/ministack \
    && /opt/ministack/bin/pip install --no-cache-dir --require-hashes --requirement requirements/ministack.lock
ENV PATH=/opt/ministack/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp
USER 10001:0
EXPOSE 4566
CMD ["ministack"]

FROM python:${PYTHON_VERSION}-slim AS headrace
COPY --from=build /opt/headrace /opt/headrace
# Whatever user the container is given, it is in group 0 there.
RUN install -d -m 0775 /etc/headrace /var/lib/headrace
ENV PATH=/opt/headrace/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENV HEADRACE_LISTEN=0.0.0.0:9470 HEADRACE_STATE=/var/lib/headrace
USER 10001:0
VOLUME /var/lib/headrace
EXPOSE 9470
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["headrace", "status", "--check"]
ENTRYPOINT ["headrace"]
# With a configuration in /etc/headrace, or with the settings alone.
CMD ["run"]
