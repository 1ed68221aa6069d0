# The 'Execute shell' step of a freestyle job. Jenkins runs it with `sh -xe`, which echoes each command: so the token
# comes from the environment. In the job: Build Environment, "Use secret text(s) or file(s)", variable GKUBE_TOKEN.
# GKUBE_URL: Manage Jenkins, System, Global properties.

curl -fsS --retry 5 --retry-connrefused "$GKUBE_URL/cli" -o gkube.mjs

# App by the job, revision by the commit or the build, environment where the app has only one. Waits for the end.
# With -f the job needs not be known: the file in the workspace registers it.
if [ -f gkube.yaml ]; then
  node gkube.mjs deploy -f gkube.yaml
else
  node gkube.mjs deploy
fi
