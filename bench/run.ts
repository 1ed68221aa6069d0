// `npm run bench`: measures gkube beside its baselines and prints one table. What each figure means, and the last
// ones, are in docs/benchmarks.md. It never fails because of a time: a busy machine is no defect.
import { availableParallelism, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { auditCost } from './audit-cost.ts'
import { cliCost } from './cli-cost.ts'
import { economy } from './economy.ts'
import { failover } from './failover.ts'
import { type Figure, judge, table } from './figures.ts'
import { firstWrite } from './first-write.ts'
import { hooksLoad } from './hooks.ts'
import { kubectlBaseline } from './kubectl.ts'
import { startRig } from './rig.ts'
import { rolloutOverhead } from './rollout-overhead.ts'
import { serveCost } from './serve-cost.ts'
import { slackLoad } from './slack-load.ts'
import { updateCost } from './update-cost.ts'

const help = `npm run bench [-- options]
  --json           print the figures as JSON
  --updates N      updates of each way for the time to the first write (default 100)
  --rounds N       rounds of everything else (default 15)
  --only PART      deploy, serve, cli, slack, hooks, audit, failover or economy (may be given several times); the last two
                   take some minutes and are left out unless they are named
  --deploys N      economy: deploys in flight at once (default 1000)
  --core N         slack, hooks: gkube has this core (needs taskset); give the rest another one:
                   taskset -c 1 npm run bench -- --only slack --core 0
`

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    updates: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '15' },
    only: { type: 'string', multiple: true, default: ['deploy', 'serve', 'cli', 'slack', 'hooks', 'audit'] },
    deploys: { type: 'string', default: '1000' },
    core: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const say = (text: string) => void process.stderr.write(`${text}\n`)

if (values.help) process.stdout.write(help)
else {
  const before = load()
  const figures = (await measure(number(values.updates), number(values.rounds))).map(judge)
  const machine = { node: process.version, cores: availableParallelism(), load: [before, load()] }
  const words = `Node ${machine.node}, ${machine.cores} cores, load ${machine.load.join(' → ')}`
  process.stdout.write(
    values.json ? `${JSON.stringify({ machine, figures }, null, 2)}\n` : `${table(figures)}\n\n${words}\n`,
  )
  if (Math.max(...machine.load) > machine.cores)
    say('Others were busy on this machine: times are longer than they need be.')
}

/** Processes that wanted a core in the last minute. */
function load(): number {
  return Math.round((loadavg()[0] ?? 0) * 10) / 10
}

function number(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new Error(`${text} is not a number of rounds, such as 15`)
}

async function measure(updates: number, rounds: number): Promise<Figure[]> {
  const figures: Figure[] = []
  const wants = (part: string) => values.only.includes(part)
  if (wants('failover')) {
    say(`failover: 2 × ${rounds} rounds …`)
    figures.push(...(await failover(rounds)))
  }
  if (wants('economy')) {
    const deploys = number(values.deploys)
    say(`economy: ${deploys} deploys at once …`)
    figures.push(...(await economy({ deploys, unreadySeconds: 90, say })))
  }
  if (values.only.every(part => ['failover', 'economy'].includes(part))) return figures
  say('starting etcd and the stand-in cluster …')
  const rig = await startRig({ speed: 10 })
  try {
    if (wants('deploy')) {
      const kubectl = await kubectlBaseline(rig)
      if (!kubectl) say('kubectl is not installed: its baseline is left out')
      say(`time to the first write: 2 × ${updates} updates …`)
      figures.push(...(await firstWrite(rig, updates)))
      say(`cost of an update: ${rounds} updates …`)
      figures.push(...(await updateCost(rig, kubectl, rounds)))
      say(`overhead above the rollout: ${rounds} rounds …`)
      figures.push(...(await rolloutOverhead(rig, kubectl, rounds)))
    }
    if (wants('serve')) {
      say(`start and idle memory of gkube serve: ${rounds} rounds …`)
      figures.push(...(await serveCost(rig, rounds)))
    }
    if (wants('cli')) {
      say(`commands: ${rounds} rounds …`)
      figures.push(...(await cliCost(rig, rounds)))
    }
    if (wants('audit')) {
      say('sealing the audit, and 100 writers with and without a sealer …')
      figures.push(...(await auditCost(rig)))
    }
    if (wants('slack')) {
      say('signed requests from Slack, 200 a second, beside a bare Bolt app …')
      figures.push(...(await slackLoad(rig, { core: values.core })))
    }
    if (wants('hooks')) {
      say('hooks of Jenkins, 100 a second, beside a bare http server …')
      figures.push(...(await hooksLoad(rig, { core: values.core })))
    }
  } finally {
    await rig.close()
  }
  return figures
}
