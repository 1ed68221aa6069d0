// What others change beside gkube, on the stand-in cluster. The stories: test/support/drift-stories.ts.
import { driftStories } from '../support/drift-stories.ts'
import { groundOf } from '../support/ground.ts'

driftStories(() => groundOf())
