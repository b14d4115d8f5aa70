# docker build -t cnn-explorer . && docker run -p 8501:8501 cnn-explorer
FROM python:3.12-slim

RUN useradd --create-home explorer
WORKDIR /home/explorer/app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY --chown=explorer . .
USER explorer

EXPOSE 8501
# ready only when the embedded network has answered once
HEALTHCHECK --interval=15s --timeout=3s --start-period=60s \
    CMD python -c "import urllib.request as u; u.urlopen('http://localhost:8501/api/ready', timeout=2)"
CMD ["streamlit", "run", "app.py", "--server.port=8501", "--server.address=0.0.0.0", "--server.headless=true"]
