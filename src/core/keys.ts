// The only place that builds an etcd key. Every prefix ends in `/`, so that `web` never matches `web-2`.
// Names are validated where they enter (app.ts, config.ts); job paths are encoded because they hold slashes.

/** Where gkube's keys live; tests give each run a prefix of its own. */
export type Keys = ReturnType<typeof keysBelow>

/** Keys below `root` (default `/gkube/v1/`, must end in `/`). */
export function keysBelow(root = '/gkube/v1/') {
  return {
    root,
    apps: `${root}apps/`,
    app: (app: string) => `${root}apps/${app}`,
    specs: `${root}specs/`,
    spec: (hash: string) => `${root}specs/${hash}`,
    jobs: `${root}jobs/`,
    jobApps: (job: string) => `${root}jobs/${encodeURIComponent(job)}/`,
    job: (job: string, app: string) => `${root}jobs/${encodeURIComponent(job)}/${app}`,
    workloads: `${root}workloads/`,
    workloadsIn: (env: string) => `${root}workloads/${env}/`,
    workload: (env: string, app: string) => `${root}workloads/${env}/${app}`,
    deploys: `${root}deploys/`,
    deploy: (id: string) => `${root}deploys/${id}`,
    /** Ids that have not ended: what a replica reads at start. */
    open: `${root}open/`,
    openEntry: (id: string) => `${root}open/${id}`,
    progress: (id: string) => `${root}progress/${id}`,
    diagnosis: (id: string) => `${root}diagnosis/${id}`,
    history: (env: string, app: string) => `${root}history/${env}/${app}/`,
    historyEntry: (env: string, app: string, id: string) => `${root}history/${env}/${app}/${id}`,
    queues: `${root}queue/`,
    queue: (env: string, app: string) => `${root}queue/${env}/${app}/`,
    queueEntry: (env: string, app: string, id: string) => `${root}queue/${env}/${app}/${id}`,
    actives: `${root}active/`,
    active: (env: string, app: string) => `${root}active/${env}/${app}`,
    slotsAll: `${root}slots/`,
    slots: (env: string) => `${root}slots/${env}/`,
    slot: (env: string, n: number) => `${root}slots/${env}/${n}`,
    owners: `${root}owners/`,
    owner: (id: string) => `${root}owners/${id}`,
    intents: `${root}intents/`,
    intentsOf: (id: string) => `${root}intents/${id}/`,
    intent: (id: string, kind: string) => `${root}intents/${id}/${kind}`,
    lockAll: `${root}locks/all`,
    lockEnv: (env: string) => `${root}locks/env/${env}`,
    lockApp: (env: string, app: string) => `${root}locks/app/${env}/${app}`,
    locks: `${root}locks/`,
    freezes: `${root}freezes/`,
    freeze: (env: string) => `${root}freezes/${env}`,
    messages: `${root}messages/`,
    message: (deploy: string) => `${root}messages/${deploy}`,
    /** What is told of neither a deploy nor a build (notices.ts). */
    notices: `${root}notices/`,
    notice: (id: string) => `${root}notices/${id}`,
    /** Deploys whose messages do not show their end yet: what a new notifier reads. */
    outbox: `${root}outbox/`,
    outboxEntry: (deploy: string) => `${root}outbox/${deploy}`,
    hookLog: (id: string) => `${root}hooklogs/${id}`,
    planned: (deploy: string) => `${root}planned/${deploy}`,
    /** What one person asked for, newest last: App Home. */
    asked: (actor: string) => `${root}asked/${encodeURIComponent(actor)}/`,
    askedEntry: (actor: string, deploy: string) => `${root}asked/${encodeURIComponent(actor)}/${deploy}`,
    leader: (role: string) => `${root}leaders/${role}`,
    audits: `${root}audit/`,
    auditIn: (env: string) => `${root}audit/${env}/`,
    audit: (env: string, id: string) => `${root}audit/${env}/${id}`,
    seen: (source: string, event: string) => `${root}seen/${source}/${encodeURIComponent(event)}`,
    /** Hooks of Jenkins that were taken and have no effect yet. */
    inbox: `${root}inbox/jenkins/`,
    inboxEntry: (id: string) => `${root}inbox/jenkins/${id}`,
    /** What gkube knows of Jenkins builds, by its own id. */
    jenkinsBuilds: `${root}jenkins/builds/`,
    jenkinsBuild: (id: string) => `${root}jenkins/builds/${id}`,
    jenkinsConsole: (id: string) => `${root}jenkins/console/${id}`,
    /** Builds that are followed: what a new follower reads. */
    jenkinsOpen: `${root}jenkins/open/`,
    jenkinsOpenEntry: (id: string) => `${root}jenkins/open/${id}`,
    jenkinsJobNumbers: `${root}jenkins/numbers/`,
    jenkinsNumbers: (job: string) => `${root}jenkins/numbers/${encodeURIComponent(job)}/`,
    /** Padded: keys sort as numbers do. */
    jenkinsNumber: (job: string, number: number) =>
      `${root}jenkins/numbers/${encodeURIComponent(job)}/${String(number).padStart(10, '0')}`,
    jenkinsQueues: `${root}jenkins/queue/`,
    jenkinsQueue: (id: number) => `${root}jenkins/queue/${id}`,
    jenkinsJob: (job: string) => `${root}jenkins/jobs/${encodeURIComponent(job)}`,
    /** The one deploy of a build of a job, and the newest of its builds that was asked for. */
    buildDeploy: (env: string, app: string, job: string, number: number) =>
      `${root}builds/${env}/${app}/${encodeURIComponent(job)}/${number}`,
    newestBuilds: `${root}newest/`,
    buildDeploys: (env: string, app: string, job: string) =>
      `${root}builds/${env}/${app}/${encodeURIComponent(job)}/`,
    newestBuild: (env: string, app: string, job: string) =>
      `${root}newest/${env}/${app}/${encodeURIComponent(job)}`,
    subscriptions: `${root}subscriptions/`,
    subscriptionsOf: (channel: string) => `${root}subscriptions/${channel}/`,
    subscription: (channel: string, app: string) => `${root}subscriptions/${channel}/${app}`,
    tokens: `${root}tokens/`,
    token: (id: string) => `${root}tokens/${id}`,
    /** One-time tokens of uploaded artifacts. */
    artifactTicket: (id: string) => `${root}artifacts/${id}`,
    releases: `${root}releases/`,
    /** The uploaded artifact of a revision: the newest upload wins. */
    released: (app: string, revision: string) => `${root}releases/${app}/${encodeURIComponent(revision)}`,
    /** How full storage was told to be. */
    fullness: `${root}fullness/`,
    fullnessOf: (env: string, app: string, storage: string) => `${root}fullness/${env}/${app}/${storage}`,
    seals: `${root}seals/`,
    sealsIn: (env: string) => `${root}seals/${env}/`,
    /** Padded: keys sort as numbers do. */
    seal: (env: string, n: number) => `${root}seals/${env}/${String(n).padStart(10, '0')}`,
    quarantine: (env: string, app: string, id: string) => `${root}quarantine/${env}/${app}/${id}`,
  }
}
