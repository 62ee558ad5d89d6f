# The compiled balancer as a user without rights, on 8080 (and the metrics on 8081).
#
#   docker build -t balancer .
#   docker run --network host balancer
#   docker run -p 8080:8080 -v /etc/haproxy/haproxy.cfg:/etc/haproxy/haproxy.cfg:ro balancer

FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY balancer ./balancer
RUN python -m venv /opt/balancer \
 && BALANCER_COMPILE=require /opt/balancer/bin/pip install --no-cache-dir .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/balancer /opt/balancer
COPY conf/container.cfg /etc/haproxy/haproxy.cfg
RUN /opt/balancer/bin/balancer -c -f /etc/haproxy/haproxy.cfg
USER 10001:10001
EXPOSE 8080 8081
# A soft stop: no new connection, requests in flight finish.
STOPSIGNAL SIGUSR1
# The file's own word on its health, `monitor-uri`: no line in the log, no session. A file of your own needs the same line.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["/opt/balancer/bin/balancerctl", "--patience", "2", "health", "http://127.0.0.1:8081/health"]
ENTRYPOINT ["/opt/balancer/bin/balancer"]
CMD ["-db", "-f", "/etc/haproxy/haproxy.cfg"]
