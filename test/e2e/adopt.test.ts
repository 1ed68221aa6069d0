// Taking over what was there before gkube, on the stand-in cluster. The stories: test/support/adopt-stories.ts.
import { adoptStories } from '../support/adopt-stories.ts'
import { groundOf } from '../support/ground.ts'

adoptStories(() => groundOf())
