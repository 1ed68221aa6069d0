// The name of a release of code on an app's volume: what a pod template mounts and what publish makes must be the same.
// The program that makes it is src/publish/finish.ts.

/** `releases/<this>` on the volume. `sha256` is the artifact's, in hexadecimal. */
export const releaseName = (revision: string, sha256: string): string => `${revision}-${sha256.slice(0, 12)}`
