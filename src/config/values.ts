// Values that several sections of gkube.yaml hold: paths of files and names of variables. Described where they are used.
import { z } from 'zod'

export const filePath = z.string().min(1).max(4096)
export const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'the name of an environment variable such as GKUBE_ETCD_PASSWORD')
