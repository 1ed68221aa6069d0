# The gkube server and command line. Node runs the TypeScript sources as they are, so nothing but
# the file for agents is built here.
# Build: docker build -t gkube .     Run: docker run --rm gkube --help
FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# No scripts of packages run: none is needed at run time.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force

# The command line as one file, which agents fetch from the server (GET /cli).
FROM node:24-slim AS cli
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY src ./src
COPY scripts ./scripts
RUN node scripts/write-cli.ts

FROM node:24-slim
# Pools of GlusterFS are reached by SSH: the gluster command line runs on a server.
RUN apt-get update && apt-get install -y --no-install-recommends openssh-client && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=cli /app/dist/cli.mjs ./dist/cli.mjs
COPY package.json LICENSE README.md ./
COPY bin ./bin
COPY src ./src
RUN ln -s /app/bin/gkube.js /usr/local/bin/gkube
# A number, so that Kubernetes can see that it is not root. Nothing is written below /app: the root may be read-only.
USER 1000:1000
EXPOSE 8080
# Probes belong to the orchestrator (/healthz, /readyz): no HEALTHCHECK.
# Left to itself Node takes 130 MB for what lives shortly, and collects the rest late.
ENV MALLOC_ARENA_MAX=2
ENTRYPOINT ["node", "--max-semi-space-size=8", "--heap-growing-percent=20", "/app/bin/gkube.js"]
CMD ["serve"]
