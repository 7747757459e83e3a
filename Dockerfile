# The server's image. Two stages over one base, so that the environment made in the first runs in the second.
#
#   docker build -t moorage .
#   docker run -p 127.0.0.1:5000:5000 -v moorage:/var/lib/moorage --read-only moorage
#
# BASE is any Debian-like image with Python 3.11 or newer and venv. A build that may not fetch anything takes its packages
# from a directory `wheelhouse` beside this file: --build-arg PIP_ARGS="--no-index --find-links=wheelhouse".
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ARG PIP_ARGS=
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/ requirements/
# The licence is here because a COPY has to find something where there is no wheelhouse.
COPY LICENSE wheelhouse* wheelhouse/
# hadolint ignore=SC2086
RUN python3 -m venv /opt/moorage \
    && python3 -m venv /opt/build \
    && /opt/moorage/bin/pip install -q --require-hashes --no-deps ${PIP_ARGS} -r requirements/all.txt \
    && /opt/build/bin/pip install -q --require-hashes --no-deps ${PIP_ARGS} -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY auth/ auth/
COPY storage/ storage/
COPY migrations/ migrations/
COPY registry/ registry/
COPY runtime/ runtime/
RUN /opt/build/bin/pip wheel -q --no-build-isolation --no-deps --no-index -w /dist . \
    && /opt/moorage/bin/pip install -q --no-deps --no-index /dist/*.whl \
    && /opt/moorage/bin/pip uninstall -q -y pip

FROM ${BASE}
LABEL org.opencontainers.image.title="Moorage" \
      org.opencontainers.image.description="A private Docker Hub that one command starts" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/moorage --shell /usr/sbin/nologin moorage \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/moorage
COPY --from=build /opt/moorage /opt/moorage
ENV PATH=/opt/moorage/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    MOORAGE_SERVER__LISTEN=0.0.0.0:5000 \
    MOORAGE_STORAGE__PATH=/var/lib/moorage
USER 10001:10001
WORKDIR /var/lib/moorage
VOLUME /var/lib/moorage
EXPOSE 5000
# For a server with TLS files or a unix socket, give a check of your own, or --no-healthcheck.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python3", "-c", "import os, urllib.request as r; \
r.urlopen('http://127.0.0.1:' + os.environ['MOORAGE_SERVER__LISTEN'].rpartition(':')[2] + '/readyz', timeout=4)"]
ENTRYPOINT ["moorage", "serve"]
