// The command line as one file for build agents, on Node 18 and later: what GET /cli answers (http/cli-file.ts makes
// it of this and all it imports). It has everything that asks a server, and nothing that is one.
import './older-node.ts'
import { UserError } from '../../errors.ts'
import { runProcess } from './run-process.ts'

const notHere = () =>
  Promise.reject(
    new UserError(
      'bad_input',
      'This file is only the command line for a server. serve, sandbox, config, rbac and the schemas are in the gkube package and its image.',
    ),
  )

await runProcess({
  // Replaced where the file is made.
  version: process.env.GKUBE_BUNDLED_VERSION ?? '',
  local: {
    serve: notHere,
    sandbox: notHere,
    configCheck: notHere,
    configSchema: notHere,
    appSchema: notHere,
    publish: notHere,
    rbac: notHere,
  },
})
