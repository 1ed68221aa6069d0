// The buttons that fit a build's state. A value is ids and nothing else; who clicks is judged by the core again, from the
// record as it is then. Handlers are found by action-ids.ts.
import type { Button } from '@slack/types'
import { type Build, isOver, type PendingInput } from '../../../core/builds/build.ts'
import { type Environment, namespaceOf } from '../../../core/environment.ts'
import { buildActionIds } from '../action-ids.ts'
import { button, confirmation } from '../blocks/elements.ts'
import { cut } from '../blocks/mrkdwn.ts'
import { openOffers, placeWords } from './build-lines.ts'
import { plainBuild } from './build-words.ts'
import { shortRevision } from './names.ts'

export type Environments = (name: string) => Environment | undefined

const mostOffers = 5

/** Stop while it goes on; its log once there is one; again once it is over. */
export function buildButtons(build: Build): Button[] {
  const over = isOver(build.phase)
  const hasLog = build.number !== null && build.phase !== 'lost'
  return [
    ...(over || build.phase === 'finishing' || isStopping(build) ? [] : [stop(build)]),
    ...(hasLog ? [button({ text: 'Log', action: buildActionIds.log, value: build.id })] : []),
    ...(over ? [button({ text: 'Build again…', action: buildActionIds.again, value: build.id })] : []),
  ]
}

const isStopping = ({ stop: wish }: Build): boolean => wish !== null && wish.state !== 'refused'

const stop = (build: Build): Button =>
  button({
    text: 'Stop…',
    action: buildActionIds.stop,
    value: build.id,
    confirm: confirmation({
      title: 'Stop the build?',
      text: `Stop ${plainBuild(build)}? What it has done so far is not undone.`,
      yes: 'Stop',
      danger: true,
    }),
  })

/** A button for each place that may have it; what `deployOn` asks for first. */
export const offerButtons = (build: Build, environments: Environments): Button[] =>
  openOffers(build)
    .toSorted((a, b) => Number(b.loud) - Number(a.loud))
    .slice(0, mostOffers)
    .map(offer => offerButton(build, offer, environments))

export function offerButton(
  build: Build,
  offer: Build['offers'][number],
  environments: Environments,
): Button {
  const { app, environment, revision, loud } = offer
  const place = environments(environment)
  const guarded = place?.protected ?? true
  const where = place ? ` (cluster ${place.cluster}, namespace ${namespaceOf(place, app)})` : ''
  return button({
    text: `Deploy to ${placeWords(build, offer)}`,
    action: buildActionIds.deploy,
    value: `${build.id}/${environment}/${app}`,
    ...(loud ? { style: 'primary' as const } : {}),
    ...(guarded
      ? {
          confirm: confirmation({
            title: `Deploy to ${environment}?`,
            text: `Deploy ${app} ${cut(shortRevision(revision), 40)} of ${cut(plainBuild(build), 60)} to ${cut(environment + where, 130)}?`,
            yes: 'Deploy',
            danger: true,
          }),
        }
      : {}),
  })
}

/** Go on, or not: for the input that waits. */
export function inputButtons(build: Build, input: PendingInput): Button[] {
  const value = `${build.id}/${input.id}`
  const asksMore = input.parameters.length > 0
  const label = input.proceed || 'Proceed'
  return [
    button({
      text: asksMore ? `${cut(label, 70)}…` : label,
      action: asksMore ? buildActionIds.input : buildActionIds.proceed,
      value,
      style: 'primary',
    }),
    button({
      text: 'Abort',
      action: buildActionIds.abort,
      value,
      confirm: confirmation({
        title: 'Abort the build?',
        text: `Answer ${plainBuild(build)} with abort? It ends there.`,
        yes: 'Abort',
        danger: true,
      }),
    }),
  ]
}
