// The path of a request as it may stand in a log line or an answer: without its query, cut, and without the secret that
// ends the address of a hook, also where the address is a little wrong and nothing answers there.

const secretAfter = /(hooks(?:\/|%2f)+jenkins)(?:[/\\;]|%2f|%5c).*$/is

export const shownPath = (url: string): string =>
  (url.split(/[?#]/)[0] ?? '').replace(secretAfter, '$1/[secret]').slice(0, 200)
