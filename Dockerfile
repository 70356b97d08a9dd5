# Headrace's images, and next to them the emulator's that docker-compose.yml uses:
#
#   docker build --target headrace -t headrace .        runs functions in Python 3.11
#   docker build --target full -t headrace:full .       and in each Python and Node.js that Lambda has
#
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

# Programs on PATH under the names by which Headrace looks for them. A base image of another distribution than that of
# the Python and Node images may lack libraries of theirs; the last step starts each program, so that it shows here.
FROM headrace AS full
USER root
COPY --from=python:3.10-slim /usr/local /opt/python/3.10
COPY --from=python:3.12-slim /usr/local /opt/python/3.12
COPY --from=python:3.13-slim /usr/local /opt/python/3.13
COPY --from=python:3.14-slim /usr/local /opt/python/3.14
COPY --from=node:20-slim /usr/local/bin/node /opt/node/20/bin/node
COPY --from=node:22-slim /usr/local/bin/node /opt/node/22/bin/node
COPY --from=node:24-slim /usr/local/bin/node /opt/node/24/bin/node
RUN printf '%s\n' /opt/python/*/lib >/etc/ld.so.conf.d/headrace.conf && ldconfig \
    && for each in /opt/python/*; do ln -s "$each/bin/python${each##*/}" /usr/local/bin/; done \
    && for each in /opt/node/*; do ln -s "$each/bin/node" "/usr/local/bin/node-${each##*/}"; done \
    && ln -s node-24 /usr/local/bin/node
# What these Pythons import of Headrace's environment is compiled here, because nobody can write there later.
RUN cd /opt/headrace/lib/python3*/site-packages \
    && for each in /opt/python/*; do \
        "python${each##*/}" -m compileall -q awslambdaric boto3 botocore s3transfer jmespath urllib3 dateutil simplejson; \
    done \
    && for each in /usr/local/bin/node-*; do "$each" --version; done
USER 10001:0

# What `docker build .` makes.
FROM headrace AS default
