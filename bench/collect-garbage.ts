// Preloaded (`node --expose-gc --import`) into both processes whose memory is compared: SIGUSR2 collects garbage, so
// that what is compared is what they hold, not when V8 last felt like cleaning up.
process.on('SIGUSR2', () => {
  globalThis.gc?.()
  globalThis.gc?.()
})
