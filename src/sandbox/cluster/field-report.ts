// Field errors in the words of the real server, and the checks of names, labels and ports that every kind
// shares. The rules of the kinds are in validation.ts and pod-validation.ts.
import type { Kind } from './kinds.ts'
import type { Json, KubeObject } from './object.ts'
import type { Cause } from './status-error.ts'

export type Report = {
  required(field: string, why?: string): void
  invalid(field: string, value: Json, why: string): void
  duplicate(field: string, value: Json): void
  forbidden(field: string, why: string): void
  unsupported(field: string, value: Json, supported: readonly string[]): void
  notFound(field: string, value: Json): void
  tooLong(field: string, max: number): void
}

/** Collects causes. */
export function reporter(causes: Cause[]): Report {
  const add = (reason: string, field: string, message: string) => void causes.push({ reason, message, field })
  const shown = (value: Json) => JSON.stringify(value ?? null)
  return {
    required: (field, why) => add('FieldValueRequired', field, `Required value${why ? `: ${why}` : ''}`),
    invalid: (field, value, why) => add('FieldValueInvalid', field, `Invalid value: ${shown(value)}: ${why}`),
    duplicate: (field, value) => add('FieldValueDuplicate', field, `Duplicate value: ${shown(value)}`),
    forbidden: (field, why) => add('FieldValueForbidden', field, `Forbidden: ${why}`),
    unsupported: (field, value, supported) =>
      add(
        'FieldValueNotSupported',
        field,
        `Unsupported value: ${shown(value)}: supported values: ${supported.map(one => `"${one}"`).join(', ')}`,
      ),
    notFound: (field, value) => add('FieldValueNotFound', field, `Not found: ${shown(value)}`),
    tooLong: (field, max) => add('FieldValueTooLong', field, `Too long: may not be more than ${max} bytes`),
  }
}

export const labelForm = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
export const subdomainForm = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const serviceForm = /^[a-z]([-a-z0-9]*[a-z0-9])?$/
const qualifiedForm = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/

const labelWording =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
export const subdomainWording =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const serviceWording =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
const valueWording =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
const keyWording =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

/** A container, port or volume name. */
export function checkLabelName(report: Report, field: string, name: Json) {
  if (!name) report.required(field)
  else if (!labelForm.test(name)) report.invalid(field, name, labelWording)
  else if (name.length > 63) report.invalid(field, name, 'must be no more than 63 characters')
}

/** A name by the rule of its kind. */
function checkName(kind: Kind, name: string, report: Report) {
  const field = 'metadata.name'
  const check = (form: RegExp, wording: string, max: number) => {
    if (!form.test(name)) report.invalid(field, name, wording)
    else if (name.length > max) report.invalid(field, name, `must be no more than ${max} characters`)
  }
  if (!name) report.required(field, 'name or generateName is required')
  else if (kind.group.startsWith('rbac.')) check(/^(?!\.\.?$)[^/%]+$/, "may not contain '/' or '%'", 253)
  else if (kind.kind === 'Service') check(serviceForm, serviceWording, 63)
  else if (kind.kind === 'Namespace') check(labelForm, labelWording, 63)
  else check(subdomainForm, subdomainWording, 253)
}

/** Name, labels, annotations and owners. */
export function validateMeta(kind: Kind, { metadata }: KubeObject, report: Report) {
  checkName(kind, metadata.name, report)
  checkLabels(report, 'metadata.labels', metadata.labels)
  const annotations = Object.entries(metadata.annotations ?? {})
  for (const [key] of annotations) checkQualified(report, 'metadata.annotations', key.toLowerCase())
  const size = annotations.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
  if (size > 262_144) report.tooLong('metadata.annotations', 262_144)
  for (const [i, owner] of (metadata.ownerReferences ?? []).entries()) {
    for (const part of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      const field = `metadata.ownerReferences[${i}].${part}`
      if (!owner[part]) report.invalid(field, '', `${part} must not be empty`)
    }
  }
}

function checkQualified(report: Report, field: string, key: string) {
  const name = key.includes('/') ? key.slice(key.indexOf('/') + 1) : key
  const prefix = key.includes('/') ? key.slice(0, key.indexOf('/')) : undefined
  if (!qualifiedForm.test(name)) report.invalid(field, key, keyWording)
  else if (name.length > 63) report.invalid(field, key, 'name part must be no more than 63 characters')
  if (prefix !== undefined && !subdomainForm.test(prefix))
    report.invalid(field, key, `prefix part ${subdomainWording}`)
}

export function checkLabels(report: Report, field: string, labels: Json) {
  for (const [key, value] of Object.entries<Json>(labels ?? {})) {
    checkQualified(report, field, key)
    if (value !== '' && !qualifiedForm.test(value)) report.invalid(field, value, valueWording)
    else if (value.length > 63) report.invalid(field, value, 'must be no more than 63 characters')
  }
}

export function checkPort(report: Report, field: string, port: Json) {
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    report.invalid(field, port ?? 0, 'must be between 1 and 65535, inclusive')
}
