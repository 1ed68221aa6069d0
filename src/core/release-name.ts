// The name of a release of code on an app's volume: what a pod template mounts and what publish makes must be the same.
// The program that makes it is src/publish/finish.ts.

/** `releases/<this>` on the volume. `sha256` is the artifact's, in hexadecimal; `recipe`: code/recipe.ts. */
export const releaseName = (revision: string, sha256: string, recipe = ''): string =>
  `${revision}-${sha256.slice(0, 12)}${recipe && `-${recipe}`}`
