// Milliseconds of the machine's monotonic clock: the same in every process, so a request can leave one process and
// be seen to arrive in another.
export const monotonic = (): number => Number(process.hrtime.bigint()) / 1e6
