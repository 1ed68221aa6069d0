// From a typed Kubernetes object to plain JSON: keys that are undefined disappear, nothing is shared with the
// input. Everything that is rendered goes through here once, so that equal objects are equal bytes.
import type { KubeObject } from '../cluster.ts'

/** The object as JSON. The types of the client only describe it; no class of theirs is ever made. */
export const plain = (object: object): KubeObject => JSON.parse(JSON.stringify(object)) as KubeObject
