// A step of a shared library: gkubeDeploy(environment: 'staging')
//
// Options: app, revision, environment, file (an app file that registers the job), artifact (an archive of code in the
// workspace, or the SHA-256 of one that is uploaded), waitApproval (such as '15m'),
// url (default: GKUBE_URL), credentialsId (a secret text, default 'gkube-token'), heldIsUnstable (a deploy that still
// waits for an approval makes the build unstable, and it lives on). Returns the exit code: docs/exit-codes.md.
//
// Everything goes by the environment: nothing of it is part of a command that `sh` echoes, and no Groovy string holds
// the token.
def call(Map options = [:]) {
    def known = ['app', 'revision', 'environment', 'file', 'artifact', 'waitApproval', 'url', 'credentialsId', 'heldIsUnstable']
    def unknown = options.keySet() - known
    if (unknown) {
        error "gkubeDeploy knows no ${unknown.join(', ')}; it knows ${known.join(', ')}"
    }
    def url = options.url ?: env.GKUBE_URL
    if (!url) {
        error 'gkubeDeploy: set GKUBE_URL in the global properties of Jenkins, or give url'
    }
    def variables = ["GKUBE_URL=${url}"]
    if (options.app) { variables << "GKUBE_APP=${options.app}" }
    if (options.revision) { variables << "GKUBE_REVISION=${options.revision}" }
    if (options.environment) { variables << "GKUBE_ENVIRONMENT=${options.environment}" }
    if (options.waitApproval) { variables << "GKUBE_WAIT_APPROVAL=${options.waitApproval}" }
    if (options.artifact) { variables << "GKUBE_ARTIFACT=${options.artifact}" }
    if (options.file) { variables << "GKUBE_FILE=${options.file}" }

    int code = 0
    withCredentials([string(credentialsId: options.credentialsId ?: 'gkube-token', variable: 'GKUBE_TOKEN')]) {
        withEnv(variables) {
            code = sh(label: 'gkube deploy', returnStatus: true, script: '''
                cli="${WORKSPACE_TMP:-$WORKSPACE}/gkube.mjs"
                mkdir -p "${WORKSPACE_TMP:-$WORKSPACE}"
                curl -fsS --retry 5 --retry-connrefused "$GKUBE_URL/cli" -o "$cli"
                node "$cli" deploy ${GKUBE_FILE:+-f "$GKUBE_FILE"}
            ''')
        }
    }
    if (code == 4 && options.heldIsUnstable) {
        unstable 'The deploy waits for an approval and lives on; it is told in its channel.'
    } else if (code != 0) {
        error "gkube deploy ended with ${code} (see docs/exit-codes.md of gkube)"
    }
    return code
}
