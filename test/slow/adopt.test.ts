// Taking over what was there before gkube, on the stand-in cluster. The stories: test/support/adopt-stories.ts.
import { adoptStories, controllerStories } from '../support/adopt-stories.ts'
import { groundOf } from '../support/ground.ts'

adoptStories(() => groundOf())

const allow = { kinds: ['ReplicationController'] }
controllerStories(() => groundOf({ staging: { createNamespace: true, allow }, production: {} }))
