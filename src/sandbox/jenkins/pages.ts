// The few pages that links in messages lead to: folder, job, build, console. Plain HTML, made at each request.
import { type Answer, escaped, html } from './answer.ts'
import { plainText } from './console.ts'
import { type BuildRecord, causeText, displayOf, type Job, jobUrl, nameOf, type State } from './state.ts'

const link = (href: string, words: string) => `<a href="/${escaped(href)}">${escaped(words)}</a>`
const row = (...cells: readonly string[]) => `<tr>${cells.map(cell => `<td>${cell}</td>`).join('')}</tr>`
const stateOf = (build: BuildRecord) => build.result ?? 'running'

export function folderPage(state: State, path: string): Answer {
  const items = state.below(path).map(one => `<li>${link(jobUrl(one), displayOf(one))}</li>`)
  return html(path || 'Stand-in Jenkins', `<ul>${items.join('')}</ul>`)
}

export function jobPage(path: string, { seed, builds }: Job): Answer {
  const rows = builds.map(build =>
    row(
      link(`${jobUrl(path)}${build.number}/`, `#${build.number}`),
      stateOf(build),
      new Date(build.startedAt).toISOString(),
    ),
  )
  const parameters = (seed.parameters ?? []).map(one =>
    row(escaped(one.name), escaped(one.type), escaped(one.description ?? '')),
  )
  return html(
    path,
    `<h2>Builds</h2><table>${rows.join('')}</table><h2>Parameters</h2><table>${parameters.join('')}</table>`,
  )
}

export function buildPage(build: BuildRecord): Answer {
  const base = `${jobUrl(build.job)}${build.number}/`
  const changes = build.changes.map(one =>
    row(`<code>${one.commit.slice(0, 10)}</code>`, escaped(nameOf(one.author)), escaped(one.message)),
  )
  const stages = build.stages.map(one => row(escaped(one.name), one.status, `${one.durationMs} ms`))
  return html(
    `${build.job} #${build.number}`,
    `<p>${stateOf(build)}, ${build.causes.map(causeText).map(escaped).join(', ')}. Commit <code>${build.commit}</code>.
${link(`${base}console`, 'Console')}${build.tests ? ` · ${link(`${base}testReport/`, 'Tests')}` : ''} · ${link(jobUrl(build.job), 'Job')}</p>
<h2>Changes</h2><table>${changes.join('')}</table><h2>Stages</h2><table>${stages.join('')}</table>`,
  )
}

export function consolePage(build: BuildRecord): Answer {
  return html(`Console of ${build.job} #${build.number}`, `<pre>${escaped(plainText(build.log))}</pre>`)
}

export function testsPage(build: BuildRecord): Answer {
  const { passed, skipped, failed } = build.tests ?? { passed: 0, skipped: 0, failed: [] }
  return html(
    `Tests of ${build.job} #${build.number}`,
    `<p>${passed} passed, ${failed.length} failed, ${skipped} skipped.</p><ul>${failed.map(one => `<li>${escaped(one)}</li>`).join('')}</ul>`,
  )
}
