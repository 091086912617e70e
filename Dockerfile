# One image for all three scripts; docker-compose.yml says which one a container runs.
FROM python:3.13.16-slim-trixie@sha256:bf44cdfcb76cd3b41e879bc058fc37ec5872002ccfde7fcb765e218cde0cd79c

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

# The libraries come first: they rarely change, so this layer is rarely rebuilt. Every file is checked against its hash.
COPY requirements.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock

COPY config.py stock_producer.py stock_analytics.py stock_dashboard.py ./
COPY tickflow/ tickflow/
COPY assets/ assets/
# The file system is read-only at run time, so the bytecode is made now.
RUN python -m compileall -q . && useradd --system --no-create-home --uid 10001 tickflow \
    && install -d -o 10001 -g 10001 /data /users /tokens /tokens/worker /tokens/page /tokens/auditor /tokens/grafana
USER 10001:10001

CMD ["python", "stock_analytics.py"]
