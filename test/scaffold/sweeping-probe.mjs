// Preloaded: tells, when the process ends, how many bytes of ArrayBuffers that a collection found dead are not freed right after it, of
// 10,000 with 64 bytes each. A thread that sweeps them takes milliseconds; the most of 25 times is told, since the process may be
// stopped meanwhile.
process.on('exit', () => {
  const { gc } = globalThis;
  const bytes = () => process.memoryUsage().arrayBuffers;
  let most = 0;
  for (let round = 0; round < 25; round++) {
    gc();
    gc();
    const before = bytes();
    for (let i = 0; i < 10_000; i++) new ArrayBuffer(64);
    gc();
    most = Math.max(most, bytes() - before);
  }
  console.log('left', most);
});
